"""All connections are taken: are probes and metrics answered on their own port?"""

from __future__ import annotations

import http.client
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Self

from tests.trials.bench.measure import percentile
from tests.trials.bench.processes import free_port, generator_cpu
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import serve
from tests.trials.chaos.strangers import OTHERS, Kind, Plan, crowd_at

_PROBES = ("/livez", "/healthz", "/readyz")
_PATHS = (*_PROBES, "/metrics")
_MOST_SECONDS = 0.25
_PAUSE_SECONDS = 0.1
_BODY = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
# Without keys these are clients like all others, and their connections are theirs.
_CLIENTS = (Kind("body", b"POST /v1/classify HTTP/1.1\r\n" + _BODY, b" " * 2000), *OTHERS)


def run(*, clients: int = 1_536, seconds: float = 20.0) -> Iterator[Finding]:
    """Probe both ports beside clients of which half find no place, on a server without keys."""
    os.sched_setaffinity(0, {generator_cpu()})
    admin = free_port()
    with (
        serve(settings={"VALENCE_ADMIN_PORT": str(admin)}) as server,
        crowd_at(server.port, Plan(clients, _CLIENTS)) as end,
    ):
        seen, first, taken = Counter[str](), Counter[str](), []
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            for path in _PATHS:
                started = time.perf_counter()
                seen[_status(admin, path)] += 1
                taken.append(time.perf_counter() - started)
            first[_status(server.port, "/livez")] += 1
            time.sleep(0.05)
        came = end().connections
    taken.sort()
    p99 = percentile(taken, 0.99)
    others = ", ".join(f"{count:,} x {status}" for status, count in sorted(first.items()))
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.items()))
    yield Finding(
        fault="probes beside a crowd",
        tried=f"{clients:,} clients that hold bodies, headers, answers or nothing at the port of "
        f"clients, {came:,} connections in {seconds:g} s; probes of {', '.join(_PATHS)} one after "
        "another, each on a new connection to the port of VALENCE_ADMIN_PORT",
        lost=f"{answers}; p99 {p99 * 1e3:.1f} ms, the slowest {taken[-1] * 1e3:.1f} ms; `/livez` "
        f"on the port of clients meanwhile: {others}",
        promise=f"all 200; p99 within {_MOST_SECONDS * 1e3:g} ms",
        held=set(seen) == {"200"} and p99 <= _MOST_SECONDS,
    )


class Probing:
    """Probes of ``port`` at an easy pace, in a thread of its own, while the context lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen = Counter[str]()
        """The statuses of the answers."""
        self._taken: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def describe(self) -> str:
        """The answers so far, and how long they took."""
        answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(self.seen.items()))
        taken = sorted(self._taken)
        return f"{answers}, p99 {percentile(taken, 0.99) * 1e3:.1f} ms"

    def _run(self) -> None:
        for path in itertools.cycle(_PROBES):
            started = time.perf_counter()
            self.seen[_status(self._port, path)] += 1
            self._taken.append(time.perf_counter() - started)
            if self._over.wait(_PAUSE_SECONDS):
                return


def _status(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
