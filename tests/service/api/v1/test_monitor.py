"""``GET /v1/monitor`` on a service that has answered."""

import pytest
from valence.service.monitoring.monitor import Monitor

from tests.service.monitoring.test_monitor import make_reference, serve


@pytest.fixture
def watched(served):
    """Return the application with a monitor that has a reference."""
    scorer = served.models.get()
    scorer.monitor = Monitor(scorer.manifest, make_reference(), served.metrics.monitoring)
    return served


async def test_answers_are_counted_and_compared(watched):
    await watched.classify(texts=["good movie", "bad"])
    await watched.classify(text="bad", granularity="sentence")
    (report,) = (await watched.client.get("/v1/monitor")).json()["models"]
    assert report["texts"] == 3
    assert report["drifted"] == []
    assert report["history"] == []
    by_name = {one["signal"]: one for one in report["signals"]}
    assert list(by_name) == ["label", "confidence", "length", "unknown_words"]
    for one in by_name.values():
        assert (one["drifted"], one["filled_texts"], one["windows"]) == (None, 3, 0)
        assert sum(share["recent"] for share in one["classes"]) == pytest.approx(1)
        assert sum(share["expected"] for share in one["classes"]) == pytest.approx(1)
    assert 0 <= report["accuracy"]["low"] <= report["accuracy"]["value"] <= 1


async def test_a_drifted_window_is_told_with_its_limits(watched):
    monitor = watched.models.get().monitor
    serve(monitor, 500, 1)
    serve(monitor, 500, 2, length=40)
    (report,) = (await watched.client.get("/v1/monitor")).json()["models"]
    # longer texts have other shares of unknown words too
    assert report["drifted"] == ["length", "unknown_words"]
    assert [one["drifted"] for one in report["history"]] == [[], report["drifted"]]
    (length,) = [one for one in report["signals"] if one["signal"] == "length"]
    outside = [one for one in length["limits"] if not one["low"] <= one["recent"] <= one["high"]]
    assert outside == [one for one in length["limits"] if one["drifted"]] != []


async def test_what_the_cache_answers_is_counted_too(watched):
    from valence.service.inference.cache import AnswerCache

    scorer = watched.models.get()
    scorer._cache = AnswerCache(max_bytes=100_000)
    for _ in range(3):
        await watched.classify(texts=["good movie", "bad"])
    (report,) = (await watched.client.get("/v1/monitor")).json()["models"]
    assert report["texts"] == 6


async def test_shadows_are_not_counted(watched):
    from valence.service.inference.scored import ScoreRequest

    await watched.models.get().score(ScoreRequest(["good"], shadow=True))
    (report,) = (await watched.client.get("/v1/monitor")).json()["models"]
    assert report["texts"] == 0


async def test_a_service_that_does_not_count_says_so(serve):
    answer = await serve(monitor=False).client.get("/v1/monitor")
    assert answer.status_code == 503
    assert "VALENCE_MONITOR" in answer.json()["detail"]


async def test_a_loaded_model_has_a_monitor(tmp_path):
    from concurrent.futures import ThreadPoolExecutor
    from io import StringIO

    from valence.service.inference.model_loader import ModelLoader
    from valence.service.observability.log import Log
    from valence.service.observability.metrics.service import Metrics
    from valence.service.settings import Settings

    from tests.support.tiny_models import save_tiny_model

    folder = save_tiny_model(tmp_path / "m")
    for monitor in (True, False):
        loader = ModelLoader(
            Settings(monitor=monitor), ThreadPoolExecutor(1), Metrics(version="t"), Log(StringIO())
        )
        assert (loader.load(folder).monitor is not None) is monitor
