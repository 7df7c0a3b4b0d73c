import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.request_record import RequestRecord

# prints its exposition for each state that it reads
WORKER = """
import os, sys
from valence.service.observability import metrics_folder
from valence.service.observability.metrics import Metrics, ModelMetrics
from valence.service.observability.request_record import RequestRecord
from prometheus_client import Counter
metrics = Metrics(version="1", folder=metrics_folder.enter())
# as BentoML does
Counter("bentoml_service_request", "Of BentoML.", ["endpoint"]).labels("/r").inc()
model = ModelMetrics(metrics, name="m", version="1", labels=("a", "b"), engine="e")
metrics.count_request(
    RequestRecord("GET", "/r", 200, 0.003, model="m", version="1", texts=2, key="k", key_tokens=7)
)
model.count_batch(items=2, tokens=9)
model.set_queue(items=1, tokens=4, age_seconds=0.5)
for line in sys.stdin:
    metrics.in_flight, metrics.ready, metrics.saturation = map(float, line.split())
    print(metrics.exposition().decode() + "# END", flush=True)
"""
PROMTOOL = shutil.which("promtool")


class Worker:
    """A process with metrics."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def exposition(self, *, in_flight: int = 0, ready: bool = True, saturation: float = 0.0) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{in_flight} {int(ready)} {saturation}\n")
        self.process.stdin.flush()
        lines = iter(self.process.stdout.readline, "# END\n")
        return "".join(lines)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        # the kernel has freed its locks before it can be waited for; nobody waits here
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    with ExitStack() as stack:

        def start(*, shared: bool = True) -> Worker:
            variables = {"_VALENCE_METRICS_FOLDER": str(tmp_path)} if shared else {}
            process = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": "/nowhere", **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            return Worker(process)

        yield start


def require_valid(text: str) -> None:
    """Check the rules of the text format, by Python's reader and, if it is here, by Go's."""
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types))
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert {family.name for family in text_string_to_metric_families(text)}
    if PROMTOOL:
        done = subprocess.run(
            [PROMTOOL, "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def families(text: str) -> dict[str, dict[str, float]]:
    return {
        family.name: {
            sample.name + str(sorted(sample.labels.items())): sample.value
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
        for family in text_string_to_metric_families(text)
    }


def counted_metrics() -> Metrics:
    metrics = Metrics(version="1")
    for status, seconds in ((200, 0.003), (200, 0.3), (404, 0.0001)):
        metrics.count_request(RequestRecord("GET", "/r", status, seconds, model="m", version="1"))
    metrics.count_request(RequestRecord("GET", "/r", 200, 0.2, model="n", version="1"))
    return metrics


def test_requests_are_counted_under_both_metric_names():
    """In the histogram of the service and under BentoML's names."""
    found = families(counted_metrics().exposition().decode())
    assert sum(found["valence_requests"].values()) == 4
    bentoml = found["bentoml_service_request"]
    # BentoML's metrics have no label for models, so models are summed
    assert sorted(bentoml.values()) == [1, 3]
    durations = found["bentoml_service_request_duration_seconds"]
    assert sum(v for k, v in durations.items() if "_sum[" in k) == 0.5031
    inside = [v for k, v in durations.items() if "_bucket[" in k and "'200'" in k]
    assert inside == sorted(inside)
    assert inside[-1] == 3


def test_every_metric_has_its_unit_and_help():
    metrics = counted_metrics()
    ModelMetrics(metrics, name="m", version="1", labels=("a",), engine="e")
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        assert family.documentation, family.name
        if family.name.startswith("valence_") and family.type == "histogram":
            # a difference of probabilities has no unit
            assert family.name.endswith(("_seconds", "_items", "_tokens", "_difference"))


def value(text: str, name: str) -> float:
    (found,) = families(text)[name].values()
    return found


def test_metrics_of_several_workers_are_merged_as_valid_text(start_worker):
    start_worker().exposition()
    text = start_worker().exposition()
    require_valid(text)
    found = families(text)
    assert sum(found["valence_requests"].values()) == 2
    assert sum(found["bentoml_service_request"].values()) == 2
    items = found["valence_batch_items"]
    assert [value for key, value in items.items() if "_sum[" in key] == [4]
    buckets = [value for key, value in items.items() if "_bucket[" in key]
    assert buckets == sorted(buckets)
    assert "valence_build_info" in found
    assert "process_resident_memory_bytes" in found


def test_metrics_of_the_only_worker_are_valid_text(start_worker):
    text = start_worker(shared=False).exposition(in_flight=3)
    require_valid(text)
    assert value(text, "valence_requests_in_flight") == 3
    assert value(text, "bentoml_service_request") == 1


def test_the_gauges_of_a_killed_worker_are_dropped(start_worker):
    killed, other = start_worker(), start_worker()
    killed.exposition(in_flight=5, ready=False)
    before = other.exposition(in_flight=1)
    assert value(before, "valence_requests_in_flight") == 6
    assert value(before, "valence_queue_items") == 2
    killed.kill()
    after = other.exposition(in_flight=1)
    assert value(after, "valence_requests_in_flight") == 1
    assert value(after, "valence_queue_items") == 1
    # what it counted has happened
    assert value(after, "valence_requests") == 2
    assert value(after, "valence_key_texts") == 4
    assert value(after, "valence_key_tokens") == 14


def test_a_worker_that_is_ready_makes_the_server_ready(start_worker):
    ready, starting = start_worker(), start_worker()
    assert value(starting.exposition(ready=False), "valence_ready") == 0
    assert value(ready.exposition(ready=True), "valence_ready") == 1
    assert value(starting.exposition(ready=False), "valence_ready") == 1
    ready.kill()
    assert value(starting.exposition(ready=False), "valence_ready") == 0


def test_the_fullest_living_worker_makes_the_saturation(start_worker):
    full, other = start_worker(), start_worker()
    assert value(full.exposition(saturation=1.4), "valence_saturation_ratio") == 1.4
    assert value(other.exposition(saturation=0.3), "valence_saturation_ratio") == 1.4
    full.kill()
    assert value(other.exposition(saturation=0.3), "valence_saturation_ratio") == 0.3


def test_two_servers_have_each_their_saturation(start_worker):
    """The only worker of a server knows nothing of another server."""
    full, other = start_worker(shared=False), start_worker(shared=False)
    assert value(full.exposition(saturation=1.4), "valence_saturation_ratio") == 1.4
    assert value(other.exposition(saturation=0.3), "valence_saturation_ratio") == 0.3


def test_scored_and_refused_requests_are_told_apart():
    """Errors of clients, probes and limits of clients are neither."""
    metrics = counted_metrics()
    for method, status, reason in (
        ("POST", 200, ""),
        ("POST", 200, ""),
        ("POST", 422, "invalid-request"),
        ("POST", 429, "overloaded"),
        ("POST", 429, "rate-limited"),
    ):
        metrics.count_request(RequestRecord(method, "/r", status, 0.1, model="m", version="1"))
        if reason:
            metrics.count_rejection(reason)
    metrics.count_rejection("too-many-connections")
    assert (metrics.answered, metrics.refused) == (2, 2)


def test_dropped_lines_of_the_log_are_counted():
    metrics = Metrics(version="1")
    assert value(metrics.exposition().decode(), "valence_log_lines_dropped") == 0
    metrics.count_dropped_lines(7)
    assert value(metrics.exposition().decode(), "valence_log_lines_dropped") == 7


async def test_buffered_values_equal_single_observations():
    metrics = Metrics(version="1")
    model = ModelMetrics(metrics, name="m", version="1", labels=("a", "b"), engine="e")
    single = Metrics(version="1")
    direct = single.stage_seconds.labels("m", "1", "queue")
    # values on, between and beyond the bounds
    seconds = [0.0, 0.0001, 0.00011, 0.5, 5.0, 5.1, 100.0]
    for value in seconds:
        direct.observe(value)
        model.count_scored(
            ["a", "b"] if value else ["b"],
            ScoringRecord(3, 1, 0, value, value, value),
        )
    model.flush()
    model.flush()
    found = families(metrics.exposition().decode())
    queue = {k: v for k, v in found["valence_stage_duration_seconds"].items() if "'queue'" in k}
    observed = families(single.exposition().decode())["valence_stage_duration_seconds"]
    assert queue == observed
    assert [value for key, value in queue.items() if "_sum[" in key] == [sum(seconds)]
    assert sorted(found["valence_predictions"].values()) == [6, 7]
    assert list(found["valence_tokens"].values()) == [21]


async def test_buffered_values_are_flushed_without_a_scrape():
    metrics = Metrics(version="1")
    model = ModelMetrics(metrics, name="m", version="1", labels=("a",), engine="e")
    for texts in (1, 2):
        model.count_scored(["a"], ScoringRecord(1, 0, 0, 0.0, 0.0, 0.0))
        await asyncio.sleep(0.6)  # values are at most half a second late
        tokens = families(metrics.exposition().decode())["valence_tokens"]
        assert list(tokens.values()) == [texts]
