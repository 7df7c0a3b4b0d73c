"""The estimate beside NannyML's published method, computed with scikit-learn.

NannyML calibrates the probabilities of the predicted labels by scikit-learn's isotonic regression
on the reference, and takes the mean over the texts (CBPE, accuracy of a multiclass model).
"""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from valence.service.classifier.reference import CONFIDENCES, ConfidenceCounts
from valence.service.monitoring.accuracy import AccuracyEstimator


def draw(texts, seed, *, least=0.34, sharpness=1.3):
    """Confidences of overconfident answers, and whether each of them is right."""
    random = np.random.default_rng(seed)
    confidence = least + (1 - least) * random.beta(2.0, 1.0, size=texts)
    return confidence, random.random(texts) < confidence**sharpness


def count(confidence, right):
    classes = np.searchsorted(CONFIDENCES, confidence)
    length = len(CONFIDENCES) + 1
    return (
        np.bincount(classes, minlength=length),
        np.bincount(classes[right], minlength=length),
    )


def make(confidence, right):
    texts, hits = count(confidence, right)
    return AccuracyEstimator(
        ConfidenceCounts(bounds=CONFIDENCES, texts=tuple(texts), right=tuple(hits))
    )


@pytest.mark.parametrize("least", [0.34, 0.6, 0.9])
def test_the_estimate_is_that_of_cbpe(least):
    """Also where the served texts are other than those of the reference."""
    known, known_right = draw(6_000, 1)
    served, _ = draw(4_000, 2, least=least)
    calibrator = IsotonicRegression(out_of_bounds="clip").fit(known, known_right)
    expected = calibrator.predict(served).mean()
    found = make(known, known_right).estimate(count(served, np.zeros(4_000, bool))[0])
    assert found.value == pytest.approx(expected, abs=0.006)


def test_pooled_classes_are_those_of_isotonic_regression():
    texts = np.arange(10, 10 + len(CONFIDENCES) + 1)
    right = (texts * np.random.default_rng(3).random(len(texts))).astype(int)
    estimator = AccuracyEstimator(
        ConfidenceCounts(bounds=CONFIDENCES, texts=tuple(texts), right=tuple(right))
    )
    edges = np.array((0.0, *CONFIDENCES, 1.0))
    weights = texts + 1
    values = (right + (edges[:-1] + edges[1:]) / 2) / weights
    places = np.arange(len(texts))
    expected = IsotonicRegression().fit(places, values, weights).predict(places)
    assert estimator.accuracies == pytest.approx(expected)
    assert (np.diff(estimator.accuracies) >= 0).all()


def test_the_interval_has_the_true_accuracy_as_often_as_said():
    inside = 0
    for seed in range(200):
        estimator = make(*draw(800, seed))
        confidence, right = draw(500, 10_000 + seed)
        found = estimator.estimate(count(confidence, right)[0])
        inside += found.low <= right.mean() <= found.high
    assert 0.9 <= inside / 200 <= 0.995


def test_raw_confidence_would_be_too_high_and_the_estimate_is_not():
    confidence, right = draw(5_000, 5)
    served, served_right = draw(5_000, 6)
    found = make(confidence, right).estimate(count(served, served_right)[0])
    assert served.mean() - served_right.mean() > 0.03
    assert abs(found.value - served_right.mean()) < 0.02


def test_classes_without_a_text_have_an_accuracy_and_no_text_none():
    estimator = AccuracyEstimator(ConfidenceCounts(bounds=(0.5,), texts=(0, 10), right=(0, 9)))
    assert 0 < estimator.accuracies[0] < estimator.accuracies[1] < 1
    assert estimator.estimate(np.array([0, 0])) is None
