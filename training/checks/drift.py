"""How far data have moved from those a model was trained on.

Shares of labels and lengths are compared by the population stability index (PSI), shares of words
by the Jensen-Shannon divergence in bits (J. Lin, *Divergence Measures Based on the Shannon
Entropy*, IEEE Transactions on Information Theory 1991). Both are above 0 for two samples of the
same data; what is expected of such samples is taken off (PSI: B. Yurdakul, *Statistical Properties
of Population Stability Index*, 2018; the divergence is an eighth of it for distributions so near).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.training.checks.finding import Finding, Severity
from valence.training.checks.profile import DataProfile

# the customary bounds of the index: up to 0.1 stable, from 0.25 another population
PSI_NOTE, PSI_WARNING = 0.1, 0.25
# bits a word; chosen, not measured
JS_NOTE, JS_WARNING = 0.02, 0.05
# points by which the share of unknown words has risen
UNKNOWN_NOTE, UNKNOWN_WARNING = 0.02, 0.05


def measure_drift(old: DataProfile, new: DataProfile) -> list[Finding]:
    """Compare ``new`` with ``old``, both with the words and the vocabulary of the older model."""
    found = []
    labels = sorted({*old.labels, *new.labels})
    index = psi(_row(old.labels, labels), _row(new.labels, labels))
    found += _make_findings("label shares", "PSI", index, (PSI_NOTE, PSI_WARNING), new)
    index = psi(np.array(old.lengths), np.array(new.lengths))
    found += _make_findings("lengths", "PSI", index, (PSI_NOTE, PSI_WARNING), new)
    words = list(old.words)
    divergence = jensen_shannon(
        np.append(_row(old.words, words), old.tokens - sum(old.words.values())),
        np.append(_row(new.words, words), new.tokens - sum(new.words.values())),
    )
    found += _make_findings(
        "words", "Jensen-Shannon divergence, bits,", divergence, (JS_NOTE, JS_WARNING), new
    )
    rise = _share(new) - _share(old)
    found += _make_findings(
        "unknown words", "rise of their share", rise, (UNKNOWN_NOTE, UNKNOWN_WARNING), new
    )
    return found


def psi(old: NDArray[np.int64], new: NDArray[np.int64]) -> float:
    """The population stability index of two rows of counts, less that of two like samples."""
    there = (old + new) > 0
    old, new = old[there], new[there]
    if not old.sum() or not new.sum():
        return 0.0
    # half a text more in each class, for one without any would make the index infinite
    first = (old + 0.5) / (old + 0.5).sum()
    second = (new + 0.5) / (new + 0.5).sum()
    index = float(((first - second) * np.log(first / second)).sum())
    return max(0.0, index - (len(old) - 1) * float(1 / old.sum() + 1 / new.sum()))


def jensen_shannon(old: NDArray[np.int64], new: NDArray[np.int64]) -> float:
    """The divergence of two rows of counts in bits, less that of two like samples."""
    there = (old + new) > 0
    old, new = old[there], new[there]
    if not old.sum() or not new.sum():
        return 0.0
    first, second = old / old.sum(), new / new.sum()
    middle = (first + second) / 2
    divergence = (_bits(first, middle) + _bits(second, middle)) / 2
    noise = (len(old) - 1) * float(1 / old.sum() + 1 / new.sum()) / (8 * math.log(2))
    return max(0.0, divergence - noise)


def _bits(shares: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    some = shares > 0
    return float((shares[some] * np.log2(shares[some] / others[some])).sum())


def _row(counts: dict[str, int], names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([counts.get(name, 0) for name in names], dtype=np.int64)


def _share(one: DataProfile) -> float:
    return one.unknown_words / one.tokens if one.tokens else 0.0


def _make_findings(
    what: str, measure: str, value: float, bounds: tuple[float, float], new: DataProfile
) -> list[Finding]:
    severity: Severity = "note" if value < bounds[1] else "warning"
    if value < bounds[0]:
        return []
    return [
        Finding(
            check="drift",
            severity=severity,
            count=new.texts,
            share=1.0,
            message=f"{what} have moved from those of the model compared with: {measure} "
            f"{value:.3f}, from {bounds[1]} on a warning; retrain, and judge on new texts",
        )
    ]
