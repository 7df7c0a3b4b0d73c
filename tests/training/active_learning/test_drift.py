"""The drift of texts, on counts computed by hand."""

from __future__ import annotations

import numpy as np
from valence.service.monitoring.signals import Signal
from valence.training.active_learning.drift import measure_drift

EXPECTED = np.array([400, 100])


def make_signals(expected: np.ndarray | None) -> tuple[Signal, ...]:
    return (
        Signal("label", ("sport", "(other)"), ordered=False, expected=expected),
        Signal("length", ("8", ""), ordered=True, expected=np.array([250, 250])),
    )


def test_texts_of_a_class_that_grew_drift() -> None:
    """A fifth was usual, four fifths are there: three quarters of these are new."""
    rows = np.array([(1, 0), (1, 1), (1, 0), (1, 1), (0, 0)] * 80)
    drift = measure_drift(make_signals(EXPECTED), rows)
    np.testing.assert_allclose(drift[rows[:, 0] == 1], 0.75, atol=0.01)
    assert not drift[rows[:, 0] == 0].any()


def test_texts_like_the_training_do_not_drift() -> None:
    rows = np.array([(0, 0), (0, 1), (0, 0), (0, 1), (1, 0)] * 80)
    assert not measure_drift(make_signals(EXPECTED), rows).any()


def test_without_a_reference_nothing_drifts() -> None:
    signals = (Signal("label", ("sport", "(other)"), ordered=False, expected=None),)
    assert not measure_drift(signals, np.array([[1]] * 500)).any()
    assert not len(measure_drift(signals, np.zeros((0, 1), dtype=np.int64)))
