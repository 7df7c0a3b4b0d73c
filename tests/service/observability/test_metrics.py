import asyncio
import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.request_record import RequestRecord

WORKER = """
from valence.service.observability.metrics import Metrics, ModelMetrics
from valence.service.observability.request_record import RequestRecord
metrics = Metrics(version="1")
model = ModelMetrics(metrics, name="m", version="1", labels=("a", "b"), engine="e")
metrics.count_request(RequestRecord("GET", "/r", 200, 0.003, model="m", version="1"))
model.count_batch(items=2, tokens=9)
model.set_queue(items=1, tokens=4, age_seconds=0.5)
print(metrics.exposition().decode())
"""


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
            assert family.name.endswith(("_seconds", "_items", "_tokens"))


def run_worker(folder: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", WORKER], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_metrics_of_several_workers_are_merged_as_valid_text(tmp_path):
    run_worker(tmp_path)
    found = families(run_worker(tmp_path))
    assert sum(found["valence_requests"].values()) == 2
    assert sum(found["bentoml_service_request"].values()) == 2
    items = found["valence_batch_items"]
    assert [value for key, value in items.items() if "_sum[" in key] == [4]
    buckets = [value for key, value in items.items() if "_bucket[" in key]
    assert buckets == sorted(buckets)
    assert "valence_build_info" in found
    assert "process_resident_memory_bytes" in found


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
    for _ in range(2):
        model.count_scored(["a"], ScoringRecord(1, 0, 0, 0.0, 0.0, 0.0))
        await asyncio.sleep(0.6)  # values are at most half a second late
    assert list(families(metrics.exposition().decode())["valence_tokens"].values()) == [2]
