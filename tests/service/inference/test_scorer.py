import asyncio
import dataclasses
import io
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valence.service.classifier.classifier import Classifier, require_finite
from valence.service.classifier.truncation import TRUNCATIONS
from valence.service.errors import (
    ArtifactError,
    DeadlineExceeded,
    InvalidRequest,
    NonFiniteAnswer,
    TextTooLong,
    Unavailable,
    UnknownModel,
)
from valence.service.inference import warm_up
from valence.service.inference.admission import QueueLimits
from valence.service.inference.cache import AnswerCache
from valence.service.inference.engines import factory, native
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.inference.explain.attribution import Contributions
from valence.service.inference.models import Models, Phase
from valence.service.inference.request_cost import RequestLimits
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics

from tests.support.event_loop_turns import counted

TEXTS = st.lists(
    st.text(alphabet=st.sampled_from("good bad movie .!n't"), max_size=60), min_size=1, max_size=9
)


def make(artifact, engine, *, items=1000, tokens=100_000, cache=None, **request) -> Scorer:
    return Scorer(
        Classifier(artifact),
        engine,
        cache=cache,
        limits=QueueLimits(items, tokens, RequestLimits(**request)),
        worker=ThreadPoolExecutor(1),
        metrics=Metrics(version="test"),
    )


PATHS = native.available_paths() if native.native_available() else ()


@pytest.fixture(params=["reference", *(f"native-{path}" for path in PATHS)])
def engine_name(request):
    return request.param


@pytest.fixture(scope="module")
def engine(tiny_artifact):
    return ReferenceEngine(tiny_artifact)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_prediction_does_not_depend_on_its_batch(tiny_artifact, engine, requests):
    async def run():
        scorer = make(tiny_artifact, engine)
        return await asyncio.gather(*(scorer.score(ScoreRequest(texts)) for texts in requests))

    classifier = Classifier(tiny_artifact)
    for texts, scored in zip(requests, asyncio.run(run()), strict=True):
        for text, prediction, usage in zip(texts, scored.predictions, scored.usages, strict=True):
            document = classifier.encode_head(text)
            (alone,) = classifier.predict(engine.logits([document.ids]))
            assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
            assert usage == document.usage


LONG = "good " * 30 + "bad movie " * 40 + "n't . " * 5


@pytest.mark.parametrize("truncation", [t for t in TRUNCATIONS if t != "error"])
async def test_a_truncated_text_scores_like_its_parts_alone(tiny_artifact, engine, truncation):
    """Whatever the other texts of the request are."""
    scorer, classifier = make(tiny_artifact, engine), Classifier(tiny_artifact)
    texts = ["bad", LONG, "", LONG[:200] * 3, "not good"]
    scored = await scorer.score(ScoreRequest(texts, truncation=truncation))
    for text, prediction, usage in zip(texts, scored.predictions, scored.usages, strict=True):
        reading = classifier.encode_windows(text, truncation)
        alone = [classifier.predict(engine.logits([ids]))[0] for ids in reading.windows]
        (expected,) = classifier.merge_windows([reading], alone)
        assert prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
        assert prediction.label == expected.label
        assert usage == reading.usage
    assert scored.usage.tokens_used == sum(usage.tokens_used for usage in scored.usages)
    assert scored.usage.truncated_texts == (0 if truncation == "window" else 2)


async def test_all_refused_texts_are_named_before_scoring(tiny_artifact, counting_engine):
    scorer = make(tiny_artifact, counting_engine)
    texts = ["good", LONG, "bad", LONG]
    with pytest.raises(TextTooLong, match="120 tokens"):
        await scorer.score(ScoreRequest(texts, truncation="error"))
    assert counting_engine.calls == []
    scored = await scorer.score(ScoreRequest(texts, truncation="error", partial=True))
    assert [isinstance(answer, TextTooLong) for answer in scored.answers] == [False, True] * 2
    assert scored.usage.texts == len(scored.predictions) == 2
    refused = await scorer.score(ScoreRequest([LONG], truncation="error", partial=True))
    assert (refused.usage.texts, len(refused.answers)) == (0, 1)


async def test_each_truncation_has_its_own_cached_answers(tiny_artifact, counting_engine):
    cached = make(tiny_artifact, counting_engine, cache=AnswerCache(max_bytes=100_000))
    plain = make(tiny_artifact, counting_engine)
    for _ in range(2):
        for truncation in ("head", "tail", "head_tail", "window"):
            answers = [
                (await scorer.score(ScoreRequest([LONG], truncation=truncation)))
                for scorer in (cached, plain)
            ]
            # the duration and the cost are not part of the answers
            cached_answer = answers[0]._replace(stages=answers[1].stages, cost=answers[1].cost)
            assert cached_answer == answers[1]
    await cached.score(ScoreRequest(["good"], truncation="error"))
    texts = ["good", "bad", LONG]
    with pytest.raises(TextTooLong):
        await cached.score(ScoreRequest(texts, truncation="error"))
    scored = await cached.score(ScoreRequest(texts, truncation="error", partial=True))
    # in the order of the request's texts, not of those that the cache lacks
    assert [isinstance(answer, TextTooLong) for answer in scored.answers] == [False, False, True]


# 120 tokens make three windows of 50
@pytest.mark.parametrize(("limits", "fits"), [
    ({"items": 6}, True), ({"items": 5}, False), ({"tokens": 300}, True), ({"tokens": 299}, False)
])  # fmt: skip
async def test_more_windows_than_the_queue_can_hold_are_refused(
    tiny_artifact, counting_engine, limits, fits
):
    scorer = make(tiny_artifact, counting_engine, **limits)
    request = scorer.score(ScoreRequest([LONG] * 2, truncation="window"))
    if fits:
        assert [usage.windows for usage in (await request).usages] == [3, 3]
    else:
        with pytest.raises(InvalidRequest, match="6 windows and sentences of 300 tokens"):
            await request


@pytest.mark.parametrize("truncation", TRUNCATIONS)
async def test_a_sentence_scores_like_a_whole_text(tiny_artifact, engine, truncation):
    scorer = make(tiny_artifact, engine, cache=AnswerCache(max_bytes=100_000))
    long = "" if truncation == "error" else "good " * 60 + "bad. "
    texts = ["Not good! The movie was bad.  Very bad :(", "", f"A {long}movie. Good"]
    for _ in range(2):
        scored = await scorer.score(ScoreRequest(texts, truncation=truncation, sentences=True))
        plain = await scorer.score(ScoreRequest(texts, truncation=truncation))
        # the rounding of an engine may differ with the batch
        for found, expected in zip(scored.predictions, plain.predictions, strict=True):
            assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
        assert scored.usages == plain.usages
    assert [len(found) for found in scored.sentences] == [3, 0, 3 if long else 2]
    assert not plain.sentences
    for text, found in zip(texts, scored.sentences, strict=True):
        for start, end, prediction, usage in found:
            alone = await scorer.score(ScoreRequest([text[start:end]], truncation=truncation))
            expected = alone.predictions[0].probabilities
            assert prediction.probabilities == pytest.approx(expected, abs=1e-6)
            assert usage == alone.usages[0]


async def test_splitting_a_long_text_lets_others_run(tiny_artifact, counting_engine):
    scorer = make(tiny_artifact, counting_engine)
    text = "Good movie. Not bad, is it " * 900
    async with counted() as turns:
        scored = await scorer.score(ScoreRequest([text], sentences=True))
    assert len(scored.sentences[0]) == 901
    # first its tokens are cut, then its sentences are found, with a turn after at least 256 of
    # either
    assert turns.count > 2 * len(text.split()) / 256


async def test_sentences_count_in_the_queue(tiny_artifact, counting_engine):
    scorer = make(tiny_artifact, counting_engine, items=3)
    request = scorer.score(ScoreRequest(["Good. Bad."], sentences=True))
    assert len((await request).sentences[0]) == 2
    with pytest.raises(InvalidRequest, match="4 windows and sentences"):
        await scorer.score(ScoreRequest(["Good. Bad. Good."], sentences=True))


SENTENCES = {"sentences": True}
EXPLAINED = {"explain": True}
WINDOWS = {"truncation": "window"}


@pytest.mark.parametrize(
    ("texts", "options", "limits", "said"),
    [
        (["Good. " * 9], SENTENCES, {"max_windows": 8}, "max_windows"),
        (["Good. " * 999], SENTENCES, {"max_windows": 998}, "max_windows"),
        (["Good. " * 5] * 2, SENTENCES, {"max_windows": 9}, "max_windows"),
        (["good " * 125] * 2, WINDOWS, {"max_windows": 3}, "max_windows"),
        (["good " * 6] * 2, EXPLAINED, {"max_explained_tokens": 11}, "max_explained_tokens"),
        (["good " * 9_000], EXPLAINED, {"max_explained_tokens": 8_999}, "max_explained_tokens"),
        (["good"] * 200, {}, {"max_answer_bytes": 65_536}, "max_answer_bytes"),
        (["good"] * 200, WINDOWS, {"max_answer_bytes": 65_536}, "max_answer_bytes"),
        (["Good. " * 200], SENTENCES, {"max_answer_bytes": 65_536}, "max_answer_bytes"),
        (["good " * 700], EXPLAINED, {"max_answer_bytes": 65_536}, "max_answer_bytes"),
    ],
)
async def test_a_request_over_a_limit_is_refused_unscored(
    tiny_artifact, counting_engine, texts, options, limits, said
):
    """With one more of what is limited it is refused, and with the limit it is answered."""
    request = ScoreRequest(texts, **options)
    scorer = make(tiny_artifact, counting_engine, items=10_000, **limits)
    with pytest.raises(InvalidRequest, match=said):
        await scorer.score(request)
    assert counting_engine.calls == []
    if said != "max_answer_bytes":
        enough = {name: limit + 1 for name, limit in limits.items()}
        await make(tiny_artifact, counting_engine, items=10_000, **enough).score(request)


@pytest.mark.parametrize(
    "request_",
    [
        ScoreRequest(["good bad " * 20_000] * 20),
        ScoreRequest(["good, bad," * 9_000] * 20, truncation="tail"),
        ScoreRequest(["Good. " * 1_000] * 200, sentences=True),
        ScoreRequest(["Good. " * 1_000] * 320, explain=True),
    ],
)
async def test_splitting_ends_at_the_deadline(tiny_artifact, counting_engine, request_):
    limits = {"max_windows": 10**6, "max_explained_tokens": 10**9, "max_answer_bytes": 10**12}
    scorer = make(tiny_artifact, counting_engine, items=10**6, **limits)
    started = time.perf_counter()
    with pytest.raises(DeadlineExceeded):
        await scorer.score(request_._replace(deadline=started + 0.01))
    assert time.perf_counter() - started < 1.0
    assert counting_engine.calls == []


async def test_a_long_text_is_split_in_many_turns(tiny_artifact, counting_engine):
    """Whatever is asked about it, and even if no white space divides it."""
    scorer = make(tiny_artifact, counting_engine, items=10_000)
    for text in ("good," * 20_000, "good " * 20_000):
        for truncation in TRUNCATIONS:
            async with counted() as turns:
                await scorer.score(ScoreRequest([text], truncation=truncation, partial=True))
            assert turns.count > 20_000 / 256, truncation


async def test_the_cost_counts_what_is_read_more_than_once(tiny_artifact, counting_engine):
    scorer = make(tiny_artifact, counting_engine)

    async def cost(text, **options):
        return (await scorer.score(ScoreRequest([text], **options))).cost

    assert await cost("good " * 120) == 120
    # three windows of 50 tokens
    assert await cost("good " * 120, truncation="window") == 150
    assert await cost("Good. Bad.", sentences=True) == 4 + 4
    each = scorer._explanations._explainer._ready.cost
    assert await cost("good bad", explain=True) == 2 + 2 * each


def test_calibration_measures_the_engine(tiny_artifact, monkeypatch):
    calls = itertools.count()
    spent = 0.0

    class SlowEngine:
        name = "slow"

        def logits(self, documents):
            nonlocal spent
            # two milliseconds per call, one microsecond per token; a call may be delayed
            spent += 0.002 + 1e-6 * sum(map(len, documents)) + (0.5 if next(calls) % 3 else 0)
            return np.zeros((len(documents), 3), dtype=np.float32)

    scorer = make(tiny_artifact, SlowEngine())
    monkeypatch.setattr("valence.service.inference.scorer.time.perf_counter", lambda: spent)
    scorer.calibrate()
    assert scorer._batcher._overhead_seconds == pytest.approx(0.002001)
    assert scorer._batcher._seconds_per_token == pytest.approx(1023e-6 / 1024)


def test_a_model_that_computes_nan_is_refused_by_name(tiny_artifact, engine_name):
    """Each weight is finite, and their products overflow."""
    tensors = dict(tiny_artifact.tensors)
    tensors["output.weight"] = np.sign(tensors["output.weight"]) * np.float32(3e38)
    damaged = dataclasses.replace(tiny_artifact, tensors=tensors)
    log = Log(io.StringIO())
    engine = factory.create(damaged, name=engine_name, log=log)
    with pytest.raises(ArtifactError, match=rf"sentiment:1 computes .* engine {engine_name}"):
        warm_up.check_answers(Classifier(damaged), engine)
    engine = factory.create(tiny_artifact, name=engine_name, log=log)
    warm_up.check_answers(Classifier(tiny_artifact), engine)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
async def test_a_nan_answer_is_the_error_of_its_request(tiny_artifact, counting_engine, wrong):
    class DamagedEngine:
        name = "damaged"

        def logits(self, documents):
            rows = counting_engine.logits(documents)
            rows[[len(document) == 2 for document in documents], 1] = wrong
            return rows

    scorer = make(tiny_artifact, DamagedEngine())
    bad, *good = await asyncio.gather(
        *(scorer.score(ScoreRequest([text])) for text in ("good bad", "good", "bad movie was")),
        return_exceptions=True,
    )
    assert isinstance(bad, NonFiniteAnswer)
    assert [scored.predictions[0].label for scored in good] == ["negative", "neutral"]


def test_the_largest_finite_numbers_are_answers():
    """The sum of their squares overflows, without a warning."""
    largest = np.finfo(np.float32).max
    require_finite(np.array([[largest, -largest]], np.float32))
    require_finite(np.zeros((0, 3), np.float32))
    with pytest.raises(NonFiniteAnswer):
        require_finite(np.array([[largest, 0.0], [np.nan, 0.0]], np.float32))


class DamagedAttributor:
    """Computes other numbers than the engine does."""

    cost = 1

    def attribute(self, ids, label):
        return Contributions(np.zeros(len(ids), np.float32), 0.5, np.nan)

    def activations(self, ids):
        return np.full((len(ids), 2, 4), np.inf, np.float32)


async def test_an_explanation_that_is_not_finite_is_an_error(tiny_artifact, counting_engine):
    scorer = make(tiny_artifact, counting_engine)
    scorer._explanations._explainer._attributor = DamagedAttributor()
    with pytest.raises(NonFiniteAnswer):
        await scorer.score(ScoreRequest(["good movie"], explain=True))
    with pytest.raises(NonFiniteAnswer):
        await scorer.activations(ScoreRequest(["good movie"]), max_units=2)


def test_models_are_found_only_while_serving(tiny_artifact, engine):
    """By name, and by name and version."""
    models = Models()
    with pytest.raises(Unavailable, match="starting"):
        models.get()
    scorer = make(tiny_artifact, engine)
    models.open([scorer])
    assert models.get() is models.get("sentiment") is models.get("sentiment:1") is scorer
    assert models.all() == (scorer,)
    with pytest.raises(UnknownModel, match=r"'topic'.*sentiment:1"):
        models.get("topic")
    asyncio.run(models.close())
    assert models.phase is Phase.DRAINING
    with pytest.raises(Unavailable, match="draining"):
        models.all()


async def test_the_engine_time_of_a_request_is_its_own(tiny_artifact, engine):
    """A batch that two requests share is divided by their tokens."""
    scorer = make(tiny_artifact, engine)
    assert not (await scorer.score(ScoreRequest(["good"]))).engine_seconds, "nobody observes"
    scorer.observe(lambda *_: None)
    one, nine = await asyncio.gather(
        scorer.score(ScoreRequest(["good"])), scorer.score(ScoreRequest(["good"] * 9))
    )
    assert one.engine_seconds > 0
    assert nine.engine_seconds == pytest.approx(9 * one.engine_seconds)
    for more in ({"truncation": "window"}, {"explain": True}):
        assert (await scorer.score(ScoreRequest(["good movie"], **more))).engine_seconds > 0
    assert not (await scorer.score(ScoreRequest(["good"], sentences=True))).engine_seconds


async def test_the_engine_time_of_cached_answers_is_unknown(tiny_artifact, engine):
    scorer = make(tiny_artifact, engine, cache=AnswerCache(max_bytes=100_000))
    scorer.observe(lambda *_: None)
    assert (await scorer.score(ScoreRequest(["good"]))).engine_seconds > 0
    for texts in (["good"], ["good", "bad"]):
        assert not (await scorer.score(ScoreRequest(texts))).engine_seconds
