"""How far a figure would move on other texts of the same kind: the bootstrap.

Texts are drawn from the held-out ones with replacement, as many as there are, again and again, and
the figure is computed on each such resample (B. Efron, *Bootstrap Methods: Another Look at the
Jackknife*, 1979). Two classifiers are compared on the *same* resamples, so that what is hard for
both cancels out (P. Koehn, *Statistical Significance Tests for Machine Translation Evaluation*,
EMNLP 2004).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from valence.training.comparison.answers import Answers, Figure, Floats

# numbers in memory at one time
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """How many resamples, from which seed, and the share of them that an interval holds."""

    draws: int = 2_000
    seed: int = 0
    confidence: float = 0.95


class Interval(NamedTuple):
    """A figure on all the texts, and the interval that holds it with the stated confidence."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The second classifier's figure less the first's, its interval, and who leads how often.

    ``better`` is the share of resamples in which the second's is the better one; a tie is not.
    """

    value: float
    low: float
    high: float
    better: float


def value(figure: Figure, answers: Answers) -> float:
    """``figure`` of all of ``answers``."""
    return float(figure.value(figure.columns(answers).sum(axis=0)))


def interval(figure: Figure, answers: Answers, resampling: Resampling | None = None) -> Interval:
    """``figure`` of ``answers``; raises :class:`ValueError` for no texts."""
    return intervals({"": figure}, answers, resampling)[""]


def intervals(
    figures: Mapping[str, Figure], answers: Answers, resampling: Resampling | None = None
) -> dict[str, Interval]:
    """Several figures of ``answers``, by the same names, all on the same resamples."""
    resampling = resampling or Resampling()
    columns = [figure.columns(answers) for figure in figures.values()]
    ends = np.cumsum([part.shape[1] for part in columns])[:-1]
    sums = np.split(_sums(np.concatenate(columns, axis=1), resampling), ends, axis=1)
    found = {}
    for (name, figure), part, drawn in zip(figures.items(), columns, sums, strict=True):
        value = float(figure.value(part.sum(axis=0)))
        values = figure.value(drawn)
        found[name] = Interval(value, *_bounds(values, resampling.confidence))
    return found


def difference(
    figure: Figure, first: Answers, second: Answers, resampling: Resampling | None = None
) -> Difference:
    """How ``second`` compares with ``first``, both answers to the same texts in the same order.

    Raises :class:`ValueError` where the true labels differ, and for no texts.
    """
    resampling = resampling or Resampling()
    if not np.array_equal(first.true, second.true):
        raise ValueError("the two classifiers answered to texts of different true labels")
    columns = [figure.columns(answers) for answers in (first, second)]
    before, after = (figure.value(part.sum(axis=0)) for part in columns)
    sums = np.split(_sums(np.concatenate(columns, axis=1), resampling), 2, axis=1)
    values = figure.value(sums[1]) - figure.value(sums[0])
    gains = values > 0 if figure.higher_is_better else values < 0
    return Difference(
        float(after - before), *_bounds(values, resampling.confidence), float(gains.mean())
    )


def mean_difference(
    first: Floats, second: Floats, resampling: Resampling | None = None
) -> Difference:
    """How the mean of ``second`` (N,) compares with that of ``first`` (N,), lower being better."""
    resampling = resampling or Resampling()
    gaps = (second - first)[:, np.newaxis]
    values = _sums(gaps, resampling)[:, 0] / len(gaps)
    bounds = _bounds(values, resampling.confidence)
    return Difference(float(gaps.mean()), *bounds, float((values < 0).mean()))


def _sums(columns: Floats, resampling: Resampling) -> Floats:
    """Sums (draws, C) of columns (N, C) over each resample."""
    if len(columns) == 0:
        raise ValueError("there are no texts to resample")
    return np.concatenate([weights @ columns for weights in _weights(len(columns), resampling)])


def _weights(texts: int, resampling: Resampling) -> Iterator[Floats]:
    """How often each text was drawn in each of some resamples: (draws, N), in several parts."""
    random = np.random.default_rng(resampling.seed)
    at_once = max(1, _CHUNK // texts)
    for start in range(0, resampling.draws, at_once):
        draws = min(at_once, resampling.draws - start)
        drawn = (
            random.integers(texts, size=(draws, texts)) + np.arange(draws)[:, np.newaxis] * texts
        )
        counts = np.bincount(drawn.ravel(), minlength=draws * texts)
        yield counts.reshape(draws, texts).astype(np.float64)


def _bounds(values: Floats, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)
