"""The accuracy of answers whose true labels nobody knows, estimated from their confidence.

A calibrated probability says how often a label is right, so the mean over the answers is the
accuracy to expect. This is confidence-based performance estimation (CBPE) of NannyML: W. Kuberski,
J. Perrakis and others, *Estimating Model Performance under Covariate Shift without Labels*,
arXiv 2401.08348. As there, probabilities are first calibrated on labelled reference texts, by
isotonic regression (B. Zadrozny, C. Elkan, *Transforming Classifier Scores into Accurate Multiclass
Probability Estimates*, KDD 2002), here by classes of the confidence.

The estimate is as good as the calibration. It sees texts that the model is less sure of. It does
not see a change of what the right label of a text is, and of texts from another domain it is often
too high: a model may be sure and wrong there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.reference import ConfidenceCounts

# of a normal distribution, 95 % lies within so many standard deviations
_95_PERCENT = 1.96


class Estimate(NamedTuple):
    """An estimated accuracy with a 95 % interval, for answers like those of the reference."""

    value: float
    low: float
    high: float


class AccuracyEstimator:
    """Estimates accuracy from counts of answers by class of confidence."""

    def __init__(self, reference: ConfidenceCounts) -> None:
        lower = np.array((0.0, *reference.bounds))
        upper = np.array((*reference.bounds, 1.0))
        # Besides its texts, a class has one more with the confidence of its middle: a class without
        # a text has an accuracy too.
        weights = np.array(reference.texts) + 1.0
        right = np.array(reference.right) + (np.clip(lower, 0, 1) + np.clip(upper, 0, 1)) / 2
        self.accuracies = _regress_isotonic(right / weights, weights)
        """The accuracy of each class of confidence; it never falls."""
        self._variances = self.accuracies * (1 - self.accuracies)
        self._reference_variances = self._variances / weights

    def estimate(self, counts: NDArray[np.int64]) -> Estimate | None:
        """The accuracy of answers with these ``counts`` ``(classes,)``; None without answers."""
        total = int(counts.sum())
        if not total:
            return None
        shares = counts / total
        value = float(shares @ self.accuracies)
        variance = shares @ self._variances / total + shares**2 @ self._reference_variances
        error = _95_PERCENT * math.sqrt(variance)
        return Estimate(value, max(value - error, 0.0), min(value + error, 1.0))


def _regress_isotonic(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The rising values nearest to ``values``: neighbours that fall are pooled (PAVA)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, heaviness, length = value, weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, other_length = pools.pop()
            mean = (mean * heaviness + other * other_weight) / (heaviness + other_weight)
            heaviness, length = heaviness + other_weight, length + other_length
        pools.append((mean, heaviness, length))
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])
