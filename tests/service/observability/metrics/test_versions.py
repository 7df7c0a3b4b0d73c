import pytest
from valence.service.observability.metrics import Metrics, ModelMetrics, ScoringRecord


def serve(metrics, version):
    model = ModelMetrics(metrics, name="m", version=version, labels=("a", "b"), engine="e")
    model.set_served()
    model.count_scored(("a",), ScoringRecord(3, 0, 0, 0.1, 0.1, 0.1))
    model.set_queue(items=2, tokens=6, age_seconds=0.5)
    model.flush()
    return model


def value(metrics, name, version, **labels):
    return metrics._registry.get_sample_value(name, {"model": "m", "version": version, **labels})


def test_a_retired_version_leaves_the_gauges_and_keeps_counts():
    metrics = Metrics(version="1")
    model = serve(metrics, "1")
    assert value(metrics, "valence_model_info", "1", engine="e") == 1
    model.retire()
    model.set_queue(items=1, tokens=1, age_seconds=1.0)
    for name in ("valence_queue_items", "valence_queue_tokens", "valence_queue_age_seconds"):
        assert value(metrics, name, "1") is None
    assert value(metrics, "valence_model_info", "1", engine="e") is None
    assert value(metrics, "valence_tokens_total", "1") == 3


def test_a_version_that_comes_back_goes_on_counting():
    metrics = Metrics(version="1")
    serve(metrics, "1").retire()
    serve(metrics, "1")
    assert value(metrics, "valence_tokens_total", "1") == 6
    assert value(metrics, "valence_model_info", "1", engine="e") == 1


def test_a_thousand_versions_do_not_fill_the_exposition():
    metrics = Metrics(version="1")
    current = serve(metrics, "0")
    for number in range(1, 1_001):
        current.retire()
        current = serve(metrics, str(number))
        if number == 20:
            twenty = len(metrics.exposition())
    assert len(metrics.exposition()) < 1.1 * twenty
    assert value(metrics, "valence_tokens_total", "1000") == 3
    assert value(metrics, "valence_tokens_total", "999") == 3
    assert value(metrics, "valence_tokens_total", "1") is None


@pytest.mark.parametrize("shown", ["valence_model_info", "valence_queue_items"])
def test_workers_that_share_values_show_a_zero(tmp_path, monkeypatch, shown):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    metrics = Metrics(version="1", folder=tmp_path)
    serve(metrics, "1").retire()
    lines = [line for line in metrics.exposition().decode().splitlines() if shown in line]
    assert [line.rpartition(" ")[2] for line in lines if not line.startswith("#")] == ["0.0"]
