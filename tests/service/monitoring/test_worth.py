"""The worth of a label, on numbers computed by hand."""

from __future__ import annotations

import numpy as np
from valence.service.classifier.artifact import Artifact
from valence.service.monitoring.signals import Signal
from valence.service.monitoring.worth import Novelty, measure_uncertainty, read_thresholds


def test_uncertainty_is_one_minus_the_margin() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.1, 0.7]])
    np.testing.assert_allclose(measure_uncertainty(probabilities), [1.0, 0.0, 0.5])


def test_a_label_at_its_threshold_is_unsure() -> None:
    """Of a threshold of 0.8, 0.9 is half way to sure, and 0.4 too."""
    probabilities = np.array([[0.8, 0.0], [0.9, 0.0], [0.4, 0.0], [1.0, 0.0]])
    thresholds = np.array([0.8, 0.5])
    np.testing.assert_allclose(measure_uncertainty(probabilities, thresholds), [1.0, 0.5, 0.5, 0.0])


def test_thresholds_are_those_of_a_multi_label_model(tiny_artifact: Artifact) -> None:
    manifest = tiny_artifact.manifest
    assert read_thresholds(manifest) is None
    values = {"neutral": 0.2, "positive": 0.3, "negative": 0.1}
    several = manifest.model_copy(update={"task": "multi_label", "thresholds": values})
    assert read_thresholds(several).tolist() == [0.1, 0.2, 0.3]


def test_novelty_is_the_share_beyond_what_was_usual() -> None:
    """A fifth was usual, four fifths are there: three quarters of these are new."""
    signal = Signal("label", ("a", "(other)"), ordered=False, expected=np.array([400, 100]))
    novelty = Novelty((signal,), window=500)
    rows = np.array([[0], [1]])
    np.testing.assert_allclose(novelty.measure(rows, np.array([100, 400])), [0, 0.75], atol=0.01)
    assert not novelty.measure(rows, np.array([395, 105])).any()
