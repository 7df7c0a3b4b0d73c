"""The replacement of one served version by another."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.errors import Unavailable, UnknownModel
from valence.service.inference.admission import QueueLimits
from valence.service.inference.models import Models
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.observability.metrics.service import Metrics

from tests.support.blocked_engines import Blocked, slow


class Served:
    """What :func:`slow` expects."""

    def __init__(self, models: Models) -> None:
        self.models = models


@pytest.fixture
def make(tiny_artifact, save_tiny, tmp_path):
    from valence.service.classifier import artifact

    metrics, worker = Metrics(version="test"), ThreadPoolExecutor(1)

    def make(engine, version="1", name="sentiment"):
        loaded = artifact.load(
            save_tiny(tmp_path / f"{name}-{version}", name=name, version=version)
        )
        scorer = Scorer(
            Classifier(loaded),
            engine,
            limits=QueueLimits(8192, 262_144),
            worker=worker,
            metrics=metrics,
        )
        scorer.metrics = metrics
        return scorer

    yield make
    worker.shutdown()


async def test_a_request_of_the_version_before_is_answered(make, counting_engine):
    """The version before retires only then, and meanwhile the others are not kept waiting."""
    blocked, models = Blocked(), Models()
    models.open([make(blocked)])
    slow(Served(models))
    waiting = asyncio.create_task(models.get().score(ScoreRequest(["good"])))
    await asyncio.sleep(0.02)
    (before,) = models.name(make(counting_engine, "2"), "sentiment")
    retiring = asyncio.create_task(models.retire(before))
    assert models.get().version == "2"
    with pytest.raises(UnknownModel):
        models.get("sentiment:1")
    await asyncio.sleep(0.05)
    assert not retiring.done()
    assert before in models._resident()
    blocked.opened.set()
    assert len((await waiting).answers) == 1
    await retiring
    assert models._resident() == models.all()


async def test_a_hung_version_before_is_seen_and_drained(make, counting_engine):
    blocked, models = Blocked(), Models(hung_seconds=0.01)
    models.open([make(blocked)])
    slow(Served(models))
    waiting = asyncio.create_task(models.get().score(ScoreRequest(["good"])))
    await asyncio.sleep(0.02)
    models.name(make(counting_engine, "2"), "sentiment")
    await asyncio.sleep(0.02)
    assert not models.alive
    closing = asyncio.create_task(models.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    blocked.opened.set()
    await closing
    await waiting
    assert models.alive


async def test_the_same_version_again_stays_in_the_metrics(make, counting_engine):
    models = Models()
    models.open([make(counting_engine)])
    again = make(counting_engine)
    (before,) = models.name(again, "sentiment")
    await models.retire(before)
    info = {"model": "sentiment", "version": "1", "engine": "counting"}
    assert again.metrics._registry.get_sample_value("valence_model_info", info) == 1


async def test_a_service_that_drains_gives_no_name(make, counting_engine):
    models = Models()
    models.open([make(counting_engine)])
    await models.close()
    with pytest.raises(Unavailable, match="draining"):
        models.name(make(counting_engine, "2"), "sentiment")
    with pytest.raises(Unavailable, match="draining"):
        models.keep(make(counting_engine, "2"))
    assert [scorer.version for scorer in models._resident()] == ["1"]


async def test_the_default_and_the_order_stay(make, counting_engine):
    models = Models()
    models.open([make(counting_engine), make(counting_engine, name="topic")])
    models.name(make(counting_engine, "2"), "sentiment")
    assert [(one.name, one.version) for one in models.all()] == [("sentiment", "2"), ("topic", "1")]
    assert models.get() is models.get("sentiment:2") is models.find("sentiment")


async def test_a_version_stays_while_something_names_it(make, counting_engine):
    models, first, second = Models(), make(counting_engine), make(counting_engine, "2")
    models.open([first])
    assert models.name(second, "sentiment@blue", "sentiment@green") == ()
    assert models.get("sentiment@blue") is models.get("sentiment:2") is second
    assert models.get("sentiment") is models.get("sentiment:1") is models.get() is first
    assert models.aliases("sentiment") == {"blue": second, "green": second}
    assert [one.version for one in models.versions("sentiment")] == ["1", "2"]
    assert models.drop("sentiment@blue") == ()
    assert models.get("sentiment:2") is second
    with pytest.raises(UnknownModel, match="the served models are sentiment:1, sent"):
        models.get("sentiment@blue")
    assert models.drop("sentiment@green") == (second,)
    with pytest.raises(UnknownModel):
        models.get("sentiment:2")
    assert second in models._resident(), "it may still end requests"
    await models.retire(second)
    assert models._resident() == (first,)


async def test_a_promoted_alias_keeps_both_versions(make, counting_engine):
    models, first, second = Models(), make(counting_engine), make(counting_engine, "2")
    models.open([first])
    models.name(second, "sentiment@challenger")
    assert models.name(second, "sentiment", "sentiment@champion") == (first,)
    assert models.get() is models.get("sentiment@champion") is second


async def test_of_kept_versions_the_longest_unused_is_first(make, counting_engine):
    models = Models()
    two, three, four = (make(counting_engine, version) for version in "234")
    models.open([make(counting_engine)])
    for scorer in (two, three, four):
        models.keep(scorer)
    assert models.kept_alone() == (two, three, four)
    assert models.get("sentiment:2") is two
    assert models.kept_alone() == (three, four, two)
    models.name(three, "sentiment@blue")
    assert models.kept_alone() == (four, two), "an alias names the other one"
    assert models.drop("sentiment:3") == ()
    assert models.drop("sentiment:4") == (four,)
    assert models.remaining_without("sentiment@blue", "sentiment") == (two,)
