"""From which probability on a label is given, where each label is decided alone.

The threshold that maximizes F1 is seldom 0.5: of a well calibrated classifier it is half of the
best F1 that can be had, so the rarer and harder a label, the lower. Z.C. Lipton, C. Elkan,
B. Narayanaswamy, *Optimal Thresholding of Classifiers to Maximize F1 Measure*, ECML 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A label with fewer texts than this on dev says too little of itself: a threshold that fits three
# texts fits chance.
FEWEST_TEXTS = 5
_LOWEST = 1e-6


def choose(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[float, ...]:
    """A threshold in (0, 1] for each label: the one with the best F1 on these texts.

    ``probabilities`` and ``truth``, of 0 and 1, are both (N, K). A threshold lies halfway between
    the two probabilities it parts, so that rounding moves no text over it; of equally good ones it
    is the nearest to 0.5. A label with fewer than ``FEWEST_TEXTS`` texts gets the threshold that is
    best for the decisions on all labels pooled, and 0.5 where no text has any label.
    """
    pooled = _best(probabilities.ravel(), truth.ravel())
    return tuple(
        _best(probabilities[:, label], truth[:, label])
        if truth[:, label].sum() >= FEWEST_TEXTS
        else pooled
        for label in range(truth.shape[1])
    )


def _best(probability: NDArray[np.float64], given: NDArray[np.int64]) -> float:
    """The threshold with the best F1 of one decision on each of N texts; both are (N,)."""
    if not given.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    descending = probability[order]
    # what F1 is when the first 1, 2, ... N texts get the label
    right = np.cumsum(given[order])
    f1 = 2 * right / (np.arange(1, len(given) + 1) + given.sum())
    following = np.append(descending[1:], 0.0)
    # texts of equal probability get the label together or not at all
    f1[descending == following] = -1.0
    cuts = (descending + following)[np.isclose(f1, f1.max(), rtol=1e-12, atol=0.0)] / 2
    return max(_LOWEST, float(cuts[np.argmin(np.abs(cuts - 0.5))]))
