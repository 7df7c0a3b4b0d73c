"""Limits of counts: how many of ``n`` texts are in a class if they are like those of the reference.

A window of ``n`` texts is compared with ``m`` texts of the reference. If both come from the same
source, then the number of the window's texts among all texts of a class has a hypergeometric
distribution, whatever the share of the class is (R. A. Fisher, *The Logic of Inductive Inference*,
Journal of the Royal Statistical Society 1935). So the limits hold exactly, also for rare classes
and small references. A chart of counts with such limits is Shewhart's np-chart (W. A. Shewhart,
*Economic Control of Quality of Manufactured Product*, 1931).

Each window is judged alone, so the number of windows does not change the rate of false alarms per
window. Several classes are judged together with Bonferroni's inequality: the rates of all limits
add up to the rate of the window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.pacing import background

Counts = NDArray[np.int64]


class Limits(NamedTuple):
    """The lowest and the highest usual count of each event, both ``(events,)``."""

    low: Counts
    high: Counts


def find_limits(texts: Counts, totals: Counts, *, window: int, rate: float) -> Limits:
    """The limits of counts in ``window`` texts, of which at most one in ``1 / rate`` is outside.

    ``texts`` are the texts of each event among the ``totals`` texts of the reference, both
    ``(events,)``. The rate is that of all events together. An event without a reference has the
    limits 0 and ``window``.
    """
    if not len(texts):
        return Limits(texts, texts)
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, totals.max() + window + 1)))))
    each = rate / (2 * len(texts))
    return Limits(
        window - _find_high(totals - texts, totals, window, each, factorials),
        _find_high(texts, totals, window, each, factorials),
    )


def _find_high(
    texts: Counts, totals: Counts, window: int, rate: float, factorials: NDArray[np.float64]
) -> Counts:
    """The highest count of each event whose upper tail has more than ``rate``, by bisection."""
    # a count of 0 has a tail of 1; one above the window has none
    usual, unusual = np.zeros_like(texts), np.full_like(texts, window + 1)
    while (unusual - usual > 1).any():
        background.pause()
        middle = (usual + unusual) // 2
        likely = _sum_tail(middle, texts, totals, window, factorials) > rate
        usual, unusual = np.where(likely, middle, usual), np.where(likely, unusual, middle)
    return usual


def _sum_tail(
    counts: Counts,
    texts: Counts,
    totals: Counts,
    window: int,
    factorials: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The probability of at least ``counts``, given that both together have as many texts."""
    drawn = np.arange(window + 1)  # (window + 1,)
    together = (texts + counts)[:, np.newaxis]  # (events, 1)
    others = (totals + window)[:, np.newaxis] - together
    possible = (drawn >= counts[:, np.newaxis]) & (drawn <= together) & (window - drawn <= others)
    x = np.where(possible, drawn, np.maximum(window - others, 0))  # any possible number
    x = np.minimum(x, together)

    def choose(n: Counts, k: Counts) -> NDArray[np.float64]:
        logs: NDArray[np.float64] = factorials[n] - factorials[k] - factorials[n - k]
        return logs

    logs = choose(together, x) + choose(others, window - x)
    logs -= choose(totals + window, np.full_like(totals, window))[:, np.newaxis]
    tail: NDArray[np.float64] = np.where(possible, np.exp(logs), 0.0).sum(axis=1)
    return tail
