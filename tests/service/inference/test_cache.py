import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from valence.service.classifier.classifier import Classifier, Prediction, Usage
from valence.service.inference.admission import QueueLimits
from valence.service.inference.cache import AnswerCache
from valence.service.inference.scored import Scored, ScoreRequest, Stages
from valence.service.inference.scorer import Scorer
from valence.service.observability.metrics.service import Metrics


def answer(number: int, labels: int = 3):
    # answers share no memory, as in a serving process
    probabilities = tuple((number + place) / 1e9 for place in range(labels))
    return Prediction("label", probabilities, number / 1e9, ("label",)), Usage(
        *range(number, number + 4)
    )


def test_an_answer_is_found_only_by_its_model_and_text():
    cache = AnswerCache(max_bytes=100_000)
    cache.put(cache.key("m:1", "text"), answer(1))
    assert cache.get(cache.key("m:1", "text")) == answer(1)
    assert cache.get(cache.key("m:2", "text")) is None
    assert cache.get(cache.key("m:1", "Text")) is None
    assert cache.get(cache.key("m:1", "\ud800")) is None


def test_keys_are_specific_to_the_process_and_hold_no_text():
    one, other = AnswerCache(max_bytes=1), AnswerCache(max_bytes=1)
    assert one.key("m:1", "text") == one.key("m:1", "text")
    assert one.key("m:1", "text") != other.key("m:1", "text")
    assert len(one.key("m:1", "text" * 1000)) == 16


def test_the_least_recently_used_answers_are_evicted():
    cache = AnswerCache(max_bytes=100_000)
    for number in range(1000):
        cache.put(cache.key("m:1", str(number)), answer(number))
        cache.get(cache.key("m:1", "0"))
    held = [number for number in range(1000) if cache.get(cache.key("m:1", str(number)))]
    assert held == [0, *range(1000 - len(cache) + 1, 1000)]


@pytest.mark.parametrize("labels", [2, 5, 100])
def test_the_cache_stays_within_its_memory(labels):
    tracemalloc.start()
    try:
        cache = AnswerCache(max_bytes=2_000_000)
        for number in range(10_000):
            cache.put(cache.key("m:1", str(number)), answer(number, labels))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1_000_000 < used < 2_100_000


class ZeroEngine:
    """Engine that answers zeros and records how many documents it got."""

    name = "counting"

    def __init__(self) -> None:
        self.documents = 0

    def logits(self, documents):
        self.documents += len(documents)
        return np.array([[0, len(ids), 0] for ids in documents], dtype=np.float32)


def make(artifact, engine, cache=None):
    metrics = Metrics(version="test")
    return metrics, Scorer(
        Classifier(artifact),
        engine,
        limits=QueueLimits(1000, 100_000),
        worker=ThreadPoolExecutor(1),
        metrics=metrics,
        cache=cache,
    )


async def test_a_cached_text_gets_its_answer_without_computation(tiny_artifact):
    engine = ZeroEngine()
    _, plain = make(tiny_artifact, ZeroEngine())
    _, scorer = make(tiny_artifact, engine, AnswerCache(max_bytes=100_000))
    texts = ["good", "bad movie", "", "not good !"]

    async def answers(scorer: Scorer, texts: list[str]) -> Scored:
        # the duration and the cost are not part of the answer
        return (await scorer.score(ScoreRequest(texts)))._replace(stages=Stages(), cost=0)

    expected = await answers(plain, texts)
    assert await answers(scorer, texts[:2]) == await answers(plain, texts[:2])
    assert await answers(scorer, texts) == expected
    assert engine.documents == 4
    assert await answers(scorer, texts[::-1]) == await answers(plain, texts[::-1])
    assert engine.documents == 4


async def test_hits_and_misses_and_all_predictions_are_counted(tiny_artifact):
    metrics, scorer = make(tiny_artifact, ZeroEngine(), AnswerCache(max_bytes=100_000))
    await scorer.score(ScoreRequest(["good"]))
    await scorer.score(ScoreRequest(["good", "bad"]))
    scorer.report()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0) + sample.value
    assert totals["valence_cache_hits_total"] == 1
    assert totals["valence_cache_misses_total"] == 2
    assert totals["valence_predictions_total"] == 3
