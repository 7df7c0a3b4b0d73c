"""Where the clusters of an adaptive softmax begin, so that a word costs least.

Grave, Joulin, Cissé, Grangier, Jégou: *Efficient softmax approximation for GPUs*, ICML 2017: the
head holds the frequent words and a logit a cluster; of a cluster, which is computed for its own
words alone, the states are first projected. To half their size from one cluster to the next, not to
a fourth as there: a classifier has few units.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

DIVISOR = 2
# A logit costs its product with the state and about so many products more: its exponential, and
# the memory it goes through. With it the choice is among the fastest that were timed on a CPU.
_LOGIT = 128
_MOST_CLUSTERS = 3
# cutoffs are tried at these ranks, four an octave
_RANKS = np.unique(np.exp2(np.arange(0, 20, 0.25)).astype(np.int64))


def choose(counts: NDArray[np.int64], *, units: int) -> tuple[int, ...]:
    """The cheapest cutoffs for words so frequent, by id, told from states of ``units`` values.

    There are up to three, each from 1 to the number of words less 1, of which there are two at
    least.
    """
    ranks = _RANKS[: np.searchsorted(_RANKS, len(counts))]
    share = np.concatenate([[0.0], np.cumsum(counts / max(1, counts.sum()))])
    clusters = min(_MOST_CLUSTERS, len(ranks), max(1, _depth(units)))
    candidates = (
        chosen
        for size in range(1, clusters + 1)
        for chosen in itertools.combinations(ranks.tolist(), size)
    )
    return min(candidates, key=lambda chosen: _cost(chosen, share, units))


def _cost(cutoffs: tuple[int, ...], share: NDArray[np.float64], units: int) -> float:
    """Products a word, when ``share[n]`` of them are of the ``n`` most frequent."""
    cost = (cutoffs[0] + len(cutoffs)) * (units + _LOGIT)
    ends = (*cutoffs[1:], len(share) - 1)
    for depth, (start, end) in enumerate(zip(cutoffs, ends, strict=True), start=1):
        size = units // DIVISOR**depth
        cost += (share[end] - share[start]) * (units * size + (end - start) * (size + _LOGIT))
    return float(cost)


def _depth(units: int) -> int:
    """How often ``units`` can be divided until nothing is left."""
    depth = 0
    while units >= DIVISOR:
        units //= DIVISOR
        depth += 1
    return depth
