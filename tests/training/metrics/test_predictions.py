from __future__ import annotations

import numpy as np
import pytest
from valence.training.metrics.definitions import (
    CalibrationError,
    LabelF1,
    MacroF1,
    Metric,
    MicroF1,
)
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import Evaluation, evaluate

LABELS = ("a", "b", "c", "never")
THRESHOLDS = (0.3, 0.5, 0.6, 0.9)


def single() -> tuple[Predictions, Evaluation]:
    random = np.random.default_rng(3)
    probabilities = random.dirichlet([0.6] * 4, 500)
    truth = random.integers(3, size=500)
    return Predictions.from_probabilities(probabilities, truth), evaluate(
        probabilities, truth, labels=LABELS
    )


def several() -> tuple[Predictions, Evaluation]:
    random = np.random.default_rng(4)
    probabilities = random.random((500, 4))
    truth = (random.random((500, 4)) < [0.5, 0.2, 0.6, 0.0]).astype(np.int64)
    return (
        Predictions.from_probabilities(probabilities, truth, thresholds=THRESHOLDS),
        evaluate(probabilities, truth, labels=LABELS, thresholds=THRESHOLDS),
    )


def value(figure: Metric, answers: Predictions) -> float:
    return float(figure.value(figure.columns(answers).sum(axis=0)))


@pytest.mark.parametrize("made", [single, several])
def test_every_figure_equals_that_of_the_evaluation(made) -> None:
    answers, expected = made()
    assert value(MacroF1(), answers) == pytest.approx(expected.macro_f1)
    assert value(MicroF1(), answers) == pytest.approx(expected.micro_f1)
    assert value(CalibrationError(), answers) == pytest.approx(expected.ece)
    for place, label in enumerate(LABELS):
        assert value(LabelF1(place), answers) == pytest.approx(expected.by_label[label].f1)


@pytest.mark.parametrize("made", [single, several])
def test_figures_of_a_subset_depend_only_on_the_subset(made) -> None:
    answers, _ = made()
    some = answers.take(np.arange(0, 500, 7))
    assert len(some) == 72
    assert some.multi_label is answers.multi_label
    mask = np.zeros(500, dtype=np.bool_)
    mask[::7] = True
    assert value(MacroF1(), some) == value(MacroF1(), answers.take(mask))


def test_truths_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(2,\)"):
        Predictions.from_probabilities(np.full((2, 2), 0.5), np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(2, 2\)"):
        Predictions.from_probabilities(
            np.full((2, 2), 0.5), np.zeros(2, dtype=np.int64), thresholds=(0.5, 0.5)
        )
