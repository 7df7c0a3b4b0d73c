"""The bootstrap: how far a metric would move on other texts of the same kind.

A resample draws texts from the held-out texts with replacement, as many as there are. The metric is
computed on each resample (B. Efron, *Bootstrap Methods: Another Look at the Jackknife*, 1979). Two
classifiers are compared on the *same* resamples, so that texts that are hard for both cancel out
(P. Koehn, *Statistical Significance Tests for Machine Translation Evaluation*, EMNLP 2004).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from valence.training.metrics.definitions import METRICS, Metric
from valence.training.metrics.predictions import Floats, Predictions

# counts in memory at one time
_CHUNK = 4_000_000
# enough for the second digit of an interval's ends
_DRAWS_OF_BOUNDS = 1_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """The number of resamples, their seed, and the share of them that an interval holds."""

    draws: int = 2_000
    seed: int = 0
    confidence: float = 0.95


class Interval(NamedTuple):
    """The value of a metric on all texts, and the bounds of its confidence interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The metric of the second classifier minus that of the first, with a confidence interval.

    ``better`` is the share of resamples in which the second classifier is better; ties do not
    count.
    """

    value: float
    low: float
    high: float
    better: float


def compute_value(metric: Metric, predictions: Predictions) -> float:
    """The value of ``metric`` on all of ``predictions``."""
    return float(metric.value(metric.columns(predictions).sum(axis=0)))


def estimate_interval(
    metric: Metric, predictions: Predictions, resampling: Resampling | None = None
) -> Interval:
    """The interval of ``metric`` on ``predictions``. Raises :class:`ValueError` for no texts."""
    return estimate_intervals({"": metric}, predictions, resampling)[""]


def estimate_intervals(
    metrics: Mapping[str, Metric], predictions: Predictions, resampling: Resampling | None = None
) -> dict[str, Interval]:
    """The interval of each of ``metrics`` under its name, all on the same resamples.

    Raises :class:`ValueError` for no texts.
    """
    resampling = resampling or Resampling()
    columns = [metric.columns(predictions) for metric in metrics.values()]
    ends = np.cumsum([block.shape[1] for block in columns])[:-1]
    sums = np.split(_sum_resamples(np.concatenate(columns, axis=1), resampling), ends, axis=1)
    intervals = {}
    for (name, metric), block, resampled in zip(metrics.items(), columns, sums, strict=True):
        value = float(metric.value(block.sum(axis=0)))
        values = metric.value(resampled)
        intervals[name] = Interval(value, *_bounds(values, resampling.confidence))
    return intervals


def estimate_bounds(predictions: Predictions) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each of :data:`METRICS` on ``predictions``."""
    intervals = estimate_intervals(METRICS, predictions, Resampling(draws=_DRAWS_OF_BOUNDS))
    return {name: (interval.low, interval.high) for name, interval in intervals.items()}


def estimate_difference(
    metric: Metric,
    first: Predictions,
    second: Predictions,
    resampling: Resampling | None = None,
) -> Difference:
    """How ``second`` compares with ``first``: predictions for the same texts in the same order.

    Raises :class:`ValueError` where the true labels differ, and for no texts.
    """
    resampling = resampling or Resampling()
    if not np.array_equal(first.truth, second.truth):
        raise ValueError("the two classifiers predicted texts that have different true labels")
    columns = [metric.columns(predictions) for predictions in (first, second)]
    before, after = (metric.value(block.sum(axis=0)) for block in columns)
    sums = np.split(_sum_resamples(np.concatenate(columns, axis=1), resampling), 2, axis=1)
    values = metric.value(sums[1]) - metric.value(sums[0])
    gains = values > 0 if metric.higher_is_better else values < 0
    return Difference(
        float(after - before), *_bounds(values, resampling.confidence), float(gains.mean())
    )


def estimate_mean_difference(
    first: Floats, second: Floats, resampling: Resampling | None = None
) -> Difference:
    """How the mean of ``second`` (N,) compares with the mean of ``first`` (N,). Lower is better."""
    resampling = resampling or Resampling()
    gaps = (second - first)[:, np.newaxis]
    values = _sum_resamples(gaps, resampling)[:, 0] / len(gaps)
    bounds = _bounds(values, resampling.confidence)
    return Difference(float(gaps.mean()), *bounds, float((values < 0).mean()))


def _sum_resamples(columns: Floats, resampling: Resampling) -> Floats:
    """The sums (draws, C) of columns (N, C) over each resample."""
    if len(columns) == 0:
        raise ValueError("the bootstrap needs at least one text")
    return np.concatenate(
        [weights @ columns for weights in _draw_weights(len(columns), resampling)]
    )


def _draw_weights(texts: int, resampling: Resampling) -> Iterator[Floats]:
    """Chunks (draws, N) of weights: how often each resample holds each text."""
    random = np.random.default_rng(resampling.seed)
    chunk = max(1, _CHUNK // texts)
    for start in range(0, resampling.draws, chunk):
        draws = min(chunk, resampling.draws - start)
        drawn = (
            random.integers(texts, size=(draws, texts)) + np.arange(draws)[:, np.newaxis] * texts
        )
        counts = np.bincount(drawn.ravel(), minlength=draws * texts)
        yield counts.reshape(draws, texts).astype(np.float64)


def _bounds(values: Floats, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)
