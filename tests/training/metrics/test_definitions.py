from __future__ import annotations

import numpy as np
import pytest
from valence.training.metrics.bootstrap import estimate_bounds
from valence.training.metrics.definitions import METRICS
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import evaluate

random = np.random.default_rng(3)
SINGLE = random.dirichlet([0.5] * 4, 200)
TRUTH = random.integers(3, size=200)  # the fourth label does not occur
MULTI = random.random((200, 4))
GIVEN = (random.random((200, 4)) < MULTI).astype(np.int64)
LABELS = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("probabilities", "truth", "thresholds"),
    [(SINGLE, TRUTH, None), (MULTI, GIVEN, (0.3, 0.5, 0.7, 0.9))],
)
def test_each_figure_of_all_texts_equals_the_evaluation(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: tuple[float, ...] | None
) -> None:
    expected = evaluate(probabilities, truth, labels=LABELS, thresholds=thresholds)
    answers = Predictions.from_probabilities(probabilities, truth, thresholds=thresholds)
    for name, figure in METRICS.items():
        value = float(figure.value(figure.columns(answers).sum(axis=0)))
        assert value == pytest.approx(getattr(expected, name), abs=1e-12), name


def test_an_interval_contains_its_figure_and_narrows() -> None:
    """With more texts."""
    few, many = (
        Predictions.from_probabilities(SINGLE[:count], TRUTH[:count]) for count in (50, 200)
    )
    for name, figure in METRICS.items():
        value = float(figure.value(figure.columns(many).sum(axis=0)))
        low, high = estimate_bounds(many)[name]
        if name != "ece":  # resampling adds noise to an error of zero
            assert low < value < high
        wide = estimate_bounds(few)[name]
        assert high - low < wide[1] - wide[0]
