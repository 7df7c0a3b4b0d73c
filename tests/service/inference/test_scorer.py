import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.classifier.classifier import Classifier
from service.errors import Unavailable, UnknownModel
from service.inference.batcher import QueueLimits
from service.inference.models import Models, Phase
from service.inference.reference import ReferenceEngine
from service.inference.scorer import Scorer
from service.metrics import Metrics

TEXTS = st.lists(
    st.text(alphabet=st.sampled_from("good bad movie .!n't"), max_size=60), min_size=1, max_size=9
)


def make(artifact, engine) -> Scorer:
    return Scorer(
        Classifier(artifact),
        engine,
        limits=QueueLimits(1000, 100_000),
        worker=ThreadPoolExecutor(1),
        metrics=Metrics(version="test"),
    )


@pytest.fixture(scope="module")
def engine(tiny_artifact):
    return ReferenceEngine(tiny_artifact)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_prediction_is_the_same_alone_and_inside_any_batch(tiny_artifact, engine, requests):
    async def run():
        scorer = make(tiny_artifact, engine)
        return await asyncio.gather(*(scorer.score(texts, timeout_seconds=5) for texts in requests))

    classifier = Classifier(tiny_artifact)
    for texts, scored in zip(requests, asyncio.run(run()), strict=True):
        for text, prediction, usage in zip(texts, scored.predictions, scored.usages, strict=True):
            document = classifier.encode(text)
            (alone,) = classifier.predict(engine.logits([document.ids]))
            assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
            assert usage == document.usage


def test_warming_up_measures_the_engine(tiny_artifact):
    class Slow:
        name = "slow"

        def logits(self, documents):
            # two milliseconds a call and one microsecond a token
            seconds = 0.002 + 1e-6 * sum(map(len, documents))
            asyncio.run(asyncio.sleep(seconds))
            return np.zeros((len(documents), 3), dtype=np.float32)

    scorer = make(tiny_artifact, Slow())
    scorer.warm_up()
    assert 0.002 <= scorer._batcher._overhead_seconds < 0.02
    assert 1e-7 < scorer._batcher._seconds_per_token < 2e-5


def test_models_are_found_by_name_and_version_only_while_serving(tiny_artifact, engine):
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
