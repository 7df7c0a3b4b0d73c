from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from valence.service.classifier import artifact
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.model import RecurrentClassifier
from valence.service.inference.engines import factory
from valence.service.inference.engines.native import NativeEngine, native_available
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.observability.log import Log
from valence.training.config.schema import Configuration
from valence.training.data.preparation import prepare
from valence.training.outside import detector
from valence.training.outside.detector import fit_detector
from valence.training.pipeline import training_run
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.trainer.fitted_classifier import FittedClassifier
from valence.training.trainer.network import TrainedNetwork

pytestmark = pytest.mark.integration

SETTINGS = {"outside": {"kinds": ["everyday", "languages", "noise"]}}


@pytest.fixture
def run(workspace: Workspace, silent: Callable[[], Reporter]) -> Run:
    return Run(workspace, silent())


def test_a_trained_model_tells_texts_outside_its_labels(
    configured: Callable[..., Configuration], run: Run
) -> None:
    plain = training_run.train_classifier(configured(), run, with_baselines=False)
    made = training_run.train_classifier(configured(**SETTINGS), run, with_baselines=False)
    assert plain.manifest.outside is None
    record = made.manifest.outside
    assert record is not None
    assert record.auroc > 0.95
    assert record.inside.found <= 0.1 * record.inside.texts
    assert record.kinds.keys() == {"everyday", "languages", "noise"}
    assert sum(kind.texts for kind in record.kinds.values()) == record.fitted
    loaded, before = (artifact.load(store.find_model(one.tag)) for one in (made, plain))
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name][: len(tensor)], tensor)
    assert made.evaluations == plain.evaluations
    assert all(answer.outside is not None for answer in loaded.golden)
    classifier, reference = Classifier(loaded), ReferenceEngine(loaded)
    texts = ["The film was great in the end.", "Hablamos mañana por la mañana", "x9 == q;;", ""]
    documents = [classifier.encode_head(text).ids for text in texts]
    logits = reference.logits(documents)
    known, *strange = classifier.predict(logits)
    assert not known.is_outside
    assert all(one.is_outside for one in strange[:2])
    labels = Classifier(before).predict(ReferenceEngine(before).logits(documents))
    for one, other in zip([known, *strange], labels, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    if native_available():
        native = classifier.predict(NativeEngine(loaded).logits(documents))
        for one, other in zip([known, *strange], native, strict=True):
            assert one.outside == pytest.approx(other.outside, abs=0.01)


def test_too_few_texts_are_said_and_nothing_is_fitted(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: Callable[[], Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detector, "MIN_TEXTS", 400)
    reporter, configuration = silent(), configured(**SETTINGS)
    run = Run(workspace, reporter)
    prepared = prepare(configuration, run)
    network = RecurrentClassifier(
        Architecture(vocabulary_size=2, embedding_size=1, hidden_size=1, labels=3)
    )
    fitted = FittedClassifier(TrainedNetwork(network, ()), None, 2)
    assert fit_detector(fitted, prepared, configuration, run) is None
    said = reporter.said  # type: ignore[attr-defined]
    assert "does not tell texts outside its labels" in said[-1]
    assert f"these are {len(prepared.raw.splits.dev)} and 380" in said[-1]


def blobs(count: int, centre: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal((centre, 0.0), 1.0, (count, 2))


def test_a_row_is_a_logistic_regression_of_both_groups() -> None:
    inside, outside = blobs(400, -1.5, 0), blobs(300, 1.5, 1)
    weights, bias = detector._fit_row([inside], outside, np.array(["a"] * 300))
    right = np.concatenate([inside @ weights + bias < 0, outside @ weights + bias > 0])
    assert right.mean() > 0.9
    assert weights[0] > 10 * abs(weights[1])


def test_each_kind_weighs_the_same_however_many_texts_it_has() -> None:
    kinds = np.array(["many"] * 90 + ["few"] * 10)
    weights = detector._balance(kinds)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[kinds == "few"].sum() == pytest.approx(0.5)


def test_the_scale_calibrates_the_score() -> None:
    inside, outside = (blobs(20_000, centre, seed)[:, :1] for centre, seed in ((-1, 2), (1, 3)))
    # the log odds of two normal distributions around -1 and 1 are twice the value
    scale, shift = detector._fit_scale(
        [inside[:, 0] / 5], np.full(20_000, 1 / 20_000), outside[:, 0] / 5
    )
    assert scale == pytest.approx(10.0, rel=0.05)
    assert shift == pytest.approx(0.0, abs=0.05)


def test_the_threshold_loses_at_most_its_share_of_dev() -> None:
    dev = np.linspace(0.0, 0.8, 201)
    scores = np.array([0.1, 0.7, 0.9, 0.95])
    kinds = np.array(["a", "a", "b", "b"])
    record = detector._judge(dev, dev, scores, kinds)
    assert (dev >= record.threshold).mean() <= detector.MAX_LOST
    assert (record.kinds["a"].found, record.kinds["b"].found) == (0, 2)
    assert record.inside.texts == 201
    # a model that is sure of all dev texts still needs even odds
    assert detector._judge(dev / 10, dev, scores, kinds).threshold == 0.5


def test_ngrams_alone_tell_texts_outside_their_labels(
    configured: Callable[..., Configuration], run: Run
) -> None:
    settings = {**SETTINGS, "ngrams": {"alone": True}}
    made = training_run.train_classifier(configured(**settings), run, with_baselines=False)
    record = made.manifest.outside
    assert record is not None
    assert record.auroc > 0.95
    loaded = artifact.load(store.find_model(made.tag))
    classifier = Classifier(loaded)
    engine = factory.create(loaded, name="auto", log=Log(io.StringIO()))
    texts = ["The film was great in the end.", "Hablamos manana por la manana", "x9 == q;;"]
    documents = [classifier.encode_head(text).ids for text in texts]
    found = classifier.predict(engine.logits(documents))
    assert [one.is_outside for one in found] == [False, True, True]
