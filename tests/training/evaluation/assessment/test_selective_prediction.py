from __future__ import annotations

import numpy as np
import pytest
from valence.training.evaluation.assessment.selective_prediction import measure_selective_prediction
from valence.training.metrics.predictions import Predictions

# by falling confidence: right, right, wrong, right, wrong; two have equal confidence
SINGLE = Predictions.from_probabilities(
    np.array([[0.95, 0.05], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]]),
    np.array([0, 1, 1, 1, 0]),
)


def test_coverage_and_precision_count_texts_over_the_threshold() -> None:
    found = {point.threshold: point for point in measure_selective_prediction(SINGLE).at_threshold}
    assert (found[0.0].coverage, found[0.0].precision) == (1.0, pytest.approx(3 / 5))
    assert (found[0.8].coverage, found[0.8].precision) == (pytest.approx(4 / 5), 3 / 4)
    assert (found[0.9].coverage, found[0.9].precision) == (pytest.approx(2 / 5), 1.0)
    # above every confidence no text is answered, and no answer is wrong
    assert (found[0.99].coverage, found[0.99].precision) == (0.0, 1.0)


def test_the_coverage_at_a_precision_is_the_largest_possible() -> None:
    found = measure_selective_prediction(SINGLE)
    reached = found.at_precision["0.95"]
    assert (reached.threshold, reached.coverage) == (0.9, pytest.approx(2 / 5))
    never = Predictions.from_probabilities(SINGLE.probabilities, np.array([1, 0, 1, 0, 0]))
    assert measure_selective_prediction(never).at_precision["0.99"] is None


def test_answers_of_equal_confidence_are_kept_together() -> None:
    tied = Predictions.from_probabilities(np.full((10, 2), 0.5), np.array([0] + [1] * 9))
    # the first of them alone would be right
    assert measure_selective_prediction(tied).at_precision["0.90"] is None


def test_the_risk_is_the_mean_share_of_errors() -> None:
    wrong = np.array([0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert measure_selective_prediction(SINGLE).risk == pytest.approx(wrong.mean())


def test_multi_label_coverage_counts_true_labels() -> None:
    answers = Predictions.from_probabilities(
        np.array([[0.9, 0.8], [0.7, 0.1]]), np.array([[1, 0], [1, 0]]), thresholds=(0.5, 0.5)
    )
    found = {point.threshold: point for point in measure_selective_prediction(answers).at_threshold}
    assert (found[0.9].coverage, found[0.9].precision) == (0.5, 1.0)
    assert (found[0.7].coverage, found[0.7].precision) == (1.0, pytest.approx(2 / 3))
