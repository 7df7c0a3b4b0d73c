from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss
from valence.training.metrics.scores import BINS, Evaluation, evaluate

LABELS = ("a", "b", "c")


def sample(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels drawn from them: a perfectly calibrated classifier."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.7] * 3, count)
    drawn = (random.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, drawn.clip(0, 2)


def test_scores_of_four_texts_equal_those_computed_by_hand() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    scores = evaluate(probabilities, np.array([0, 1, 1, 2]), labels=LABELS)
    assert scores.count == 4
    assert scores.accuracy == 0.75
    assert scores.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
    assert scores.by_label["a"].model_dump() == pytest.approx(
        {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    )
    assert scores.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert scores.macro_recall == pytest.approx((1 + 0.5 + 1) / 3)
    # one text per bin: |1 - 0.8|, |0 - 0.5|, |1 - 0.7|, |1 - 0.6|
    assert scores.ece == pytest.approx((0.2 + 0.5 + 0.3 + 0.4) / 4)
    assert scores.brier == pytest.approx((0.06 + 0.78 + 0.14 + 0.26) / 4)
    assert scores.log_loss == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.6]).mean())


def test_f1_and_log_loss_agree_with_scikit_learn() -> None:
    probabilities, truth = sample(500)
    scores = evaluate(probabilities, truth, labels=LABELS)
    assert scores.macro_f1 == pytest.approx(
        f1_score(truth, probabilities.argmax(axis=1), average="macro")
    )
    assert scores.log_loss == pytest.approx(log_loss(truth, probabilities))


def test_calibration_error_separates_honest_from_overconfident() -> None:
    probabilities, truth = sample(50_000)
    sharpened = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    honest = evaluate(probabilities, truth, labels=LABELS)
    overconfident = evaluate(sharpened, truth, labels=LABELS)
    assert honest.ece < 0.01
    assert overconfident.ece > 0.1
    assert honest.brier < overconfident.brier
    assert honest.accuracy == overconfident.accuracy


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin() -> None:
    scores = evaluate(np.array([[0.6, 0.4], [1.0, 0.0]]), np.array([0, 0]), labels=("a", "b"))
    filled = [one for one in scores.reliability if one.count]
    assert [(bin_.high, bin_.count) for bin_ in filled] == [(0.6, 1), (1.0, 1)]


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_parts_of_an_evaluation_add_up(count: int, seed: int) -> None:
    probabilities, truth = sample(count, seed=seed)
    scores = evaluate(probabilities, truth, labels=LABELS)
    assert sum(map(sum, scores.confusion)) == count
    assert sum(one.count for one in scores.reliability) == count
    assert len(scores.reliability) == BINS
    assert sum(scores_of_label.support for scores_of_label in scores.by_label.values()) == count
    assert sum(row[i] for i, row in enumerate(scores.confusion)) == pytest.approx(
        scores.accuracy * count
    )
    assert 0 <= scores.ece <= 1
    assert 0 <= scores.brier <= 2
    assert all(
        bin_.low <= bin_.confidence <= bin_.high for bin_ in scores.reliability if bin_.count
    )


def test_a_label_without_texts_does_not_lower_the_macro_averages() -> None:
    scores = evaluate(np.eye(3)[[0, 1]], np.array([0, 1]), labels=LABELS)
    assert scores.macro_f1 == scores.macro_recall == 1.0
    assert scores.by_label["c"].support == 0


def test_a_fully_confident_error_has_a_finite_log_loss() -> None:
    scores = evaluate(np.array([[1.0, 0.0]]), np.array([1]), labels=("a", "b"))
    assert np.isfinite(scores.log_loss)
    assert scores.brier == 2.0


def test_an_evaluation_survives_a_round_trip_through_json() -> None:
    scores = evaluate(*sample(20), labels=LABELS)
    assert Evaluation.model_validate_json(json.dumps(scores.as_json())) == scores


@pytest.mark.parametrize(
    ("probabilities", "truth", "message"),
    [
        (np.ones((2, 2)) / 2, np.array([0, 1]), r"shape \(2, 2\), expected \(N, K\)"),
        (np.ones((1, 3)) / 3, np.array([0, 1]), r"shape \(1, 3\)"),
        (np.ones((0, 3)), np.array([], dtype=int), "at least one"),
        (np.ones((1, 3)) / 3, np.array([3]), "from 3 to 3, expected 0 to 2"),
        (np.ones((1, 3)) / 3, np.array([-1]), "from -1"),
        (np.ones((1, 3)), np.array([0]), "sum to 1"),
        (np.array([[1.5, -0.5, 0.0]]), np.array([0]), "non-negative"),
        (np.full((1, 3), np.nan), np.array([0]), "finite"),
    ],
)
def test_invalid_probabilities_are_refused(probabilities, truth, message) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(probabilities, truth, labels=LABELS)
