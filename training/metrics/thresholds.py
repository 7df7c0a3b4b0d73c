"""Decision thresholds of a multi-label classifier: the probability from which a label is predicted.

The threshold that maximizes F1 is seldom 0.5. For a well calibrated classifier the best threshold
is half of the best achievable F1, so a rarer or harder label gets a lower threshold. Z.C. Lipton,
C. Elkan, B. Narayanaswamy, *Optimal Thresholding of Classifiers to Maximize F1 Measure*, ECML 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# With fewer texts of a label than this, a threshold would fit chance.
MIN_TEXTS = 5
_MIN_THRESHOLD = 1e-6


def choose_thresholds(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[float, ...]:
    """A threshold in (0, 1] for each label: the threshold with the best F1 on these texts.

    ``probabilities`` and ``truth``, of 0 and 1, are both (N, K). A threshold lies halfway between
    the two probabilities that it separates, so that rounding moves no text across the threshold.
    Among equally good thresholds the one nearest to 0.5 is chosen. A label with fewer than
    ``MIN_TEXTS`` texts gets the threshold that is best for the decisions on all labels pooled. The
    pooled threshold is 0.5 where no text has any label.
    """
    pooled = _best_threshold(probabilities.ravel(), truth.ravel())
    return tuple(
        _best_threshold(probabilities[:, label], truth[:, label])
        if truth[:, label].sum() >= MIN_TEXTS
        else pooled
        for label in range(truth.shape[1])
    )


def _best_threshold(probability: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The threshold with the best F1 of one decision on each of N texts. Both arrays are (N,)."""
    if not truth.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    descending = probability[order]
    # F1 when the first 1, 2, ... N texts get the label
    positives = np.cumsum(truth[order])
    f1 = 2 * positives / (np.arange(1, len(truth) + 1) + truth.sum())
    following = np.append(descending[1:], 0.0)
    # texts of equal probability get the label together or not at all
    f1[descending == following] = -1.0
    cuts = (descending + following)[np.isclose(f1, f1.max(), rtol=1e-12, atol=0.0)] / 2
    return max(_MIN_THRESHOLD, float(cuts[np.argmin(np.abs(cuts - 0.5))]))
