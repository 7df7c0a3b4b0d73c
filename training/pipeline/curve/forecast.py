"""What more labels would pay: the errors of a model fall as a power of the number of labels.

Hestness et al.: *Deep Learning Scaling is Predictable, Empirically*, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from valence.training.pipeline.curve.points import Point

# The first points lie where a model has hardly learnt anything.
_LAST_POINTS = 4
_DRAWS = 1_000
_MIN_ERROR = 1e-3


@dataclass(frozen=True, slots=True)
class Forecast:
    """The ``accuracy`` that so many ``labels`` would give, and its 95 % interval."""

    labels: int
    accuracy: float
    low: float
    high: float


def forecast_accuracy(points: Sequence[Point], labels: int) -> Forecast:
    """The accuracy of the model of ``points``, two or more, with so many ``labels``.

    The interval is that of curves through folds that are drawn anew: it knows the noise of the
    folds, and not whether the power goes on.
    """
    last = sorted(points, key=lambda point: point.labels)[-_LAST_POINTS:]
    counts = np.log([point.labels for point in last])
    folds = np.array([point.accuracies for point in last])  # (points, folds)
    random = np.random.default_rng(0)

    def extend(accuracies: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        errors = np.log(np.maximum(1.0 - accuracies, _MIN_ERROR))
        slope, start = np.polyfit(counts, errors, 1)
        # more labels do no harm
        return float(1.0 - np.exp(start + min(slope, 0.0) * np.log(labels) + _rest(slope, counts)))

    draws = [
        extend(folds[:, random.integers(folds.shape[1], size=folds.shape[1])].mean(axis=1))
        for _ in range(_DRAWS)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Forecast(labels, extend(folds.mean(axis=1)), float(low), float(high))


def _rest(slope: float, counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """What keeps a rising line of errors at its mean."""
    return float(max(slope, 0.0) * counts.mean())
