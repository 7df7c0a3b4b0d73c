from __future__ import annotations

import numpy as np
import pytest
from valence.training.metrics.bootstrap import Resampling
from valence.training.metrics.constant import compare_with_constant
from valence.training.metrics.predictions import Predictions

RESAMPLING = Resampling(draws=500)
RANDOM = np.random.default_rng(0)


def predict(labels: np.ndarray, truth: np.ndarray, count: int) -> Predictions:
    return Predictions.from_probabilities(np.eye(count)[labels], truth)


@pytest.mark.parametrize(
    "shares", [(0.25, 0.25, 0.25, 0.25), (0.9, 0.05, 0.05), (0.6, 0.4)], ids=len
)
def test_guesses_at_random_beat_no_constant_answer(shares: tuple[float, ...]) -> None:
    """Neither uniform guesses, nor guesses by the shares of the labels."""
    truth = RANDOM.choice(len(shares), 400, p=shares)
    for guesses in (RANDOM.integers(0, len(shares), 400), RANDOM.permutation(truth)):
        assert not compare_with_constant(predict(guesses, truth, len(shares)), RESAMPLING).is_beaten


def test_the_commonest_label_itself_is_not_beaten() -> None:
    truth = np.array([0] * 30 + [1] * 10)
    found = compare_with_constant(predict(np.zeros(40, dtype=int), truth, 2), RESAMPLING)
    assert not found.is_beaten
    assert found.value == found.constant == 0.5


@pytest.mark.parametrize("right", [0.6, 0.9, 1.0])
def test_a_model_that_learnt_beats_the_constant_answer(right: float) -> None:
    truth = RANDOM.integers(0, 4, 300)
    guesses = np.where(RANDOM.random(300) < right, truth, RANDOM.integers(0, 4, 300))
    found = compare_with_constant(predict(guesses, truth, 4), RESAMPLING)
    assert found.is_beaten
    assert found.value > found.constant == pytest.approx(0.25)


def test_several_labels_are_compared_with_every_label() -> None:
    truth = (RANDOM.random((400, 3)) < 0.3).astype(int)
    constant = Predictions.from_probabilities(np.ones((400, 3)), truth, thresholds=(0.5,) * 3)
    assert not compare_with_constant(constant, RESAMPLING).is_beaten
    learnt = Predictions.from_probabilities(truth * 0.9, truth, thresholds=(0.5,) * 3)
    found = compare_with_constant(learnt, RESAMPLING)
    assert found.is_beaten
    assert (found.metric, found.answer) == ("macro-F1", "giving every label")
