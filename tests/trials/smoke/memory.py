"""Memory beyond the limit: the container is killed and restarted, and the alert arrives.

The rule ``ValenceRestarts`` fires unchanged: it has no ``for``, so no duration is shortened.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import ask
from tests.trials.smoke.container import Container, running
from tests.trials.smoke.machine import SmokeError, podman
from tests.trials.smoke.monitoring import Monitoring, monitored

_ALERT = "ValenceRestarts"
_MEMORY = 320 * 2**20
_TIMES = 2
_ARRIVAL_SECONDS = 60.0
# /tmp is in memory, which counts for the container; write chunks until the kernel kills
_FILL = "f=open('/tmp/fill','wb')\nwhile True: f.write(bytes(1<<20)); f.flush()"


def run(image: str) -> Iterator[Finding]:
    """Fill the memory twice, with a Prometheus that watches."""
    with (
        tempfile.TemporaryDirectory(prefix="valence-smoke-") as scratch,
        running(image, memory=f"{_MEMORY}b", restarts=True) as container,
    ):
        container.wait_until_ready()
        with monitored(container.port, Path(scratch)) as monitoring:
            ask(container.port, "/v1/classify", {"text": "I love it."})
            yield _scraped(monitoring)
            yield from _killed(container, monitoring)


def _scraped(monitoring: Monitoring) -> Finding:
    _wait_for(lambda: monitoring.query("sum(valence_predictions_total)") == [1.0], "a scrape")
    up = monitoring.query('up{job="valence"}')
    texts = monitoring.query("sum(valence_predictions_total)")
    return Finding(
        fault="scrape",
        tried="a real Prometheus, the rules of production, a scrape every second",
        lost=f"up {up}, texts counted {texts}",
        promise="scraped, one text counted",
        held=up == [1.0] and texts == [1.0],
    )


def _killed(container: Container, monitoring: Monitoring) -> Iterator[Finding]:
    longest = 0.0
    for time_ in range(_TIMES):
        before = int(container.state("RestartCount"))
        podman("exec", container.name, "python", "-c", _FILL, check=False)
        started = time.perf_counter()
        _wait_for(lambda before=before: int(container.state("RestartCount")) > before, "a restart")
        container.wait_until_ready()
        longest = max(longest, time.perf_counter() - started)
        # Prometheus must see each start of the process
        _wait_for(
            lambda number=time_: (
                monitoring.query("changes(process_start_time_seconds[15m])") == [number + 1.0]
            ),
            "the change of process_start_time_seconds",
        )
    (result,) = ask(container.port, "/v1/classify", {"text": "I love it."})["results"]
    yield Finding(
        fault="memory beyond the limit",
        tried=f"/tmp filled until {_MEMORY // 2**20} MiB are exceeded, {_TIMES} times",
        lost=f"killed and restarted {container.state('RestartCount')} times, ready "
        f"again within {longest:.1f} s",
        promise="killed, restarted, right again",
        held=int(container.state("RestartCount")) == _TIMES and result["label"] == "positive",
    )
    started = time.perf_counter()
    _wait_for(lambda: monitoring.firing(_ALERT), f"{_ALERT} at the webhook")
    yield Finding(
        fault=f"alert {_ALERT}",
        tried="the unchanged rule, fired by these restarts; Prometheus, Alertmanager, webhook",
        lost=f"arrived {time.perf_counter() - started:.0f} s after the last restart was seen",
        promise="arrives",
        held=True,
    )


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    ends = time.perf_counter() + _ARRIVAL_SECONDS
    while not condition():
        if time.perf_counter() > ends:
            raise SmokeError(f"{what} did not come within {_ARRIVAL_SECONDS:g} s")
        time.sleep(0.2)
