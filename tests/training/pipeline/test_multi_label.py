"""Texts with any number of labels, from training to the answer."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import f1_score
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.engines.native import NativeEngine, native_available
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.corpora.archive import Package
from valence.training.corpora.catalog import Corpus
from valence.training.corpora.example import Example
from valence.training.data.batches import EncodedTexts
from valence.training.data.split import hash_examples, split_by_hash
from valence.training.evaluation.stored_model import evaluate_stored_model, predict_texts
from valence.training.metrics.calibration import fit_temperature
from valence.training.metrics.scores import evaluate
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.support.model_stores import models_in

pytestmark = pytest.mark.integration

LABELS = ("cold", "late", "rude")
TELLING = {
    "cold": ("icy", "chilly", "lukewarm", "frozen"),
    "late": ("slow", "delayed", "overdue", "waiting"),
    "rude": ("curt", "hostile", "sullen", "gruff"),
}
# how often a text has the label, and how often its words say so: the last label is rare and noisy
SHARE = {"cold": 0.4, "late": 0.3, "rude": 0.12}
SAID = {"cold": 0.97, "late": 0.97, "rude": 0.7}


def synthetic_examples(count: int = 900) -> list[Example]:
    """Return texts with any number of labels; no text has words of another label by accident."""
    draw = random.Random(0)
    examples = []
    for number in range(count):
        labels = tuple(label for label in LABELS if draw.random() < SHARE[label])
        words = [f"visit{number}", draw.choice(("the soup was", "our waiter was", "all was"))]
        words += [
            draw.choice(TELLING[label])
            for label in LABELS
            if draw.random() < (SAID[label] if label in labels else 0.08 * (label == "rude"))
        ]
        examples.append(Example(" ".join([*words, "that evening"]), labels, "visits"))
    return examples


def read(path: Path) -> Iterator[Example]:
    for line in path.read_text().splitlines():
        labels, text = line.split("\t")
        yield Example(text, tuple(filter(None, labels.split("|"))), "visits")


@pytest.fixture(scope="module")
def visited(
    tmp_path_factory: pytest.TempPathFactory,
    configured: Callable[..., Configuration],
    silent: type[Reporter],
) -> Iterator[tuple[Trained, Workspace]]:
    """Yield a multi-label classifier in its own store, with its corpus in place."""
    folder = tmp_path_factory.mktemp("visits")
    workspace = Workspace(folder / "workspace")
    content = "".join(f"{'|'.join(e.labels)}\t{e.text}\n" for e in synthetic_examples()).encode()
    package = Package("visits", "1", "visits.tsv", hashlib.sha256(content).hexdigest(), "none")
    workspace.corpora.mkdir(parents=True)
    (workspace.corpora / package.filename).write_bytes(content)
    configuration = Configuration.model_validate(
        {
            **configured(
                data={"corpora": ["visits"]}, optimization={"epochs": 6, "patience": 6}
            ).model_dump(exclude={"expected"}),
            "name": "visits",
            "task": "multi_label",
            "labels": LABELS,
        }
    )
    with pytest.MonkeyPatch.context() as patch, models_in(folder / "models"):
        patch.setitem(catalog.CORPORA, "visits", Corpus(package, read, LABELS))
        made = training_run.train_classifier(configuration, run=Run(workspace, silent()))
        yield made, workspace


def load(made: Trained) -> Artifact:
    return artifact.load(store.find_model(made.tag))


def test_the_published_model_records_the_threshold_per_label(
    visited: tuple[Trained, Workspace],
) -> None:
    made, workspace = visited
    manifest = load(made).manifest
    assert manifest.task == "multi_label"
    assert manifest.thresholds.keys() == set(LABELS)
    assert manifest.polarity is None
    parts = split_by_hash(catalog.load_corpora(["visits"], cache=workspace.corpora).examples)
    assert manifest.training.split_sha256["dev"] == hash_examples(parts.dev)
    assert manifest.metrics["test"] == made.evaluations["test"].as_json()
    report = (store.find_model(made.tag) / "report" / "report.html").read_text(encoding="utf-8")
    assert "all labels correct" in report
    assert "Confusion matrix" not in report
    for threshold in manifest.thresholds.values():
        assert f"{threshold:.4f}" in report


def test_labels_are_learnt_and_compared_with_linear_models(
    visited: tuple[Trained, Workspace],
) -> None:
    made, _ = visited
    test = made.evaluations["test"]
    (beside,) = made.baselines.values()
    assert test.by_label["cold"].f1 > 0.9
    assert test.by_label["late"].f1 > 0.9
    assert test.micro_f1 > 0.85
    assert 0 < test.accuracy < 1
    assert test.confusion == beside.confusion == ()
    assert (beside.task, beside.count) == ("multi_label", test.count)
    assert beside.by_label["cold"].f1 > 0.9


def test_chosen_thresholds_beat_one_half_on_a_rare_label(
    visited: tuple[Trained, Workspace],
) -> None:
    made, workspace = visited
    loaded = load(made)
    dev = split_by_hash(catalog.load_corpora(["visits"], cache=workspace.corpora).examples).dev
    classifier, engine = Classifier(loaded), ReferenceEngine(loaded)
    logits = engine.logits([classifier.encode_head(example.text).ids for example in dev])
    rare = LABELS.index("rude")
    truth = [LABELS[rare] in example.labels for example in dev]
    likely = [p.probabilities[rare] for p in classifier.predict(logits)]
    given = [LABELS[rare] in p.labels for p in classifier.predict(logits)]
    assert f1_score(truth, given) > f1_score(truth, np.array(likely) >= 0.5)
    assert f1_score(truth, given) == pytest.approx(made.evaluations["dev"].by_label["rude"].f1)


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
def test_the_native_engine_agrees_with_the_reference(
    visited: tuple[Trained, Workspace],
) -> None:
    loaded = load(visited[0])
    classifier = Classifier(loaded)
    documents = [classifier.encode_head(example.text).ids for example in synthetic_examples(200)]
    reference = classifier.predict(ReferenceEngine(loaded).logits(documents))
    native = classifier.predict(NativeEngine(loaded).logits(documents))
    assert [example.labels for example in native] == [example.labels for example in reference]
    np.testing.assert_allclose(
        [prediction.probabilities for prediction in native],
        [prediction.probabilities for prediction in reference],
        atol=0.01,
    )


def test_a_stored_model_scores_as_in_its_training(
    visited: tuple[Trained, Workspace], silent: type[Reporter]
) -> None:
    made, workspace = visited
    reporter = silent()
    scores = evaluate_stored_model(
        "visits", engine="reference", run=Run(workspace, reporter), with_baselines=True
    )
    for part in ("dev", "test"):
        found, expected = scores[f"{made.tag} ({part})"], made.evaluations[part]
        assert found.by_label == expected.by_label
        assert found.ece == pytest.approx(expected.ece, abs=1e-6)
    ((name, beside),) = made.baselines.items()
    assert scores[f"{name} (test)"] == beside
    assert not any("warning" in line for line in reporter.said)


@pytest.mark.usefixtures("visited")
def test_an_answer_has_all_given_labels_and_separate_scores() -> None:
    texts = ["all was icy delayed that evening", "all was well that evening"]
    both, none = predict_texts("visits", texts, engine="reference")
    assert both["labels"] == ["cold", "late"]
    assert sum(score["score"] for score in both["scores"]) > 1.5
    assert both["polarity"] is None
    assert none["labels"] == []
    assert none["label"] == none["scores"][0]["label"]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_planted_temperature_of_sigmoids_is_found(
    temperature: float,
) -> None:
    """With it the sigmoids are calibrated."""
    draw = np.random.default_rng(0)
    logits = draw.normal(-temperature, 2 * temperature, size=(20_000, 3))
    truth = (draw.random(logits.shape) < expit(logits / temperature)).astype(np.int64)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.03)
    labels, thresholds = ("a", "b", "c"), (0.5, 0.5, 0.5)
    before = evaluate(expit(logits), truth, labels=labels, thresholds=thresholds)
    after = evaluate(expit(logits / found), truth, labels=labels, thresholds=thresholds)
    assert after.ece < 0.01
    assert after.ece <= before.ece
    assert after.by_label == before.by_label


def test_scores_of_three_texts_equal_those_computed_by_hand() -> None:
    probabilities = np.array([[0.9, 0.3], [0.6, 0.1], [0.2, 0.25]])
    truth = np.array([[1, 1], [0, 0], [0, 0]])
    scores = evaluate(probabilities, truth, labels=("a", "b"), thresholds=(0.5, 0.25))
    # given labels: a and b; a; b
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.micro_f1 == pytest.approx(2 * 2 / (4 + 2))
    assert scores.macro_f1 == pytest.approx(2 / 3)
    assert scores.macro_recall == 1.0
    assert scores.by_label["b"].model_dump() == pytest.approx(
        {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    )
    # in bins of a fifteenth: differences of 0.3 and 0.25
    assert scores.ece == pytest.approx((0.1 + 0.7 + 0.6 + 0.1 + 0.2 + 0.25) / 6)
    assert scores.brier == pytest.approx((0.01 + 0.49 + 0.36 + 0.01 + 0.04 + 0.0625) / 3)
    likely = [0.9, 0.3, 0.4, 0.9, 0.8, 0.75]
    assert scores.log_loss == pytest.approx(-np.log(likely).sum() / 3)


def test_a_label_at_its_threshold_is_given() -> None:
    scores = evaluate(
        np.array([[0.25, 0.5]]), np.array([[1, 0]]), labels=("a", "b"), thresholds=(0.25, 0.6)
    )
    assert scores.accuracy == 1.0


@pytest.mark.parametrize(
    ("probabilities", "truth", "message"),
    [
        (np.ones((2, 2)), np.array([[0, 1], [0, 2]]), "expected 0 or 1"),
        (np.ones((2, 2)), np.array([[0], [1]]), r"truth is of shape \(2, 1\)"),
        (np.full((1, 2), 1.1), np.array([[0, 1]]), r"lie in \[0, 1\]"),
        (np.full((1, 2), np.nan), np.array([[0, 1]]), "finite"),
    ],
)
def test_invalid_decisions_are_refused(probabilities, truth, message) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(probabilities, truth, labels=("a", "b"), thresholds=(0.5, 0.5))


def test_targets_are_labels_or_rater_shares(tiny_artifact: Artifact) -> None:
    examples = [
        Example("good", ("b",), "x"),
        Example("bad", ("a", "b"), "x", {"a": 0.6, "b": 0.7}),
        Example("movie", (), "x"),
    ]
    for use_shares, second in ((True, [0.6, 0.7]), (False, [1.0, 1.0])):
        texts = EncodedTexts(
            examples,
            tiny_artifact.vocabulary,
            labels=("a", "b"),
            max_tokens=5,
            use_shares=use_shares,
            task="multi_label",
        )
        batch = texts.batch(np.arange(3))
        expected = torch.tensor([[0.0, 1.0], second, [0.0, 0.0]])
        torch.testing.assert_close(batch.targets, expected)
        np.testing.assert_array_equal(texts.truth, [[0, 1], [1, 1], [0, 0]])
