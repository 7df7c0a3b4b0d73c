"""Quality of what was served, from feedback: accuracy, macro-F1 and calibration with intervals.

Feedback is about the texts that people chose to answer for. Where they choose mistakes, the figures
are worse than those of all texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from valence.service.feedback.record import Record
from valence.training.metrics.bootstrap import Interval, Resampling, estimate_intervals
from valence.training.metrics.definitions import (
    CalibrationError,
    MacroF1,
    Mean,
    Metric,
    mark_correct,
)
from valence.training.metrics.predictions import Predictions

_METRICS: Mapping[str, Metric] = {"accuracy": Mean(mark_correct), "macro-F1": MacroF1()}
_CALIBRATION: Mapping[str, Metric] = {"calibration error": CalibrationError()}
_RESAMPLING = Resampling(draws=1_000)


@dataclass(frozen=True, slots=True)
class ServedReport:
    """The figures of one version."""

    model: str
    version: str
    texts: int
    """How many predictions have feedback."""
    unknown: int
    """How many of them do not say what was predicted."""
    first: float
    """When the first of them was made, in seconds since 1970."""
    last: float
    figures: Mapping[str, Interval]
    """Value and 95 % bootstrap interval by name; empty if nothing is known of a prediction."""


def measure(records: Iterable[Record]) -> list[ServedReport]:
    """The report of each version in ``records``, in the order of the names."""
    by_version: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_version.setdefault((record.model, record.version), []).append(record)
    return [
        _measure_version(model, version, by_version[model, version])
        for model, version in sorted(by_version)
    ]


def _measure_version(model: str, version: str, records: Sequence[Record]) -> ServedReport:
    known = [record for record in records if record.predicted is not None]
    scored = [
        record for record in known if record.score is not None and len(record.predicted or ()) == 1
    ]
    figures: dict[str, Interval] = {}
    if known:
        figures |= estimate_intervals(_METRICS, _tabulate(known), _RESAMPLING)
    if scored and len(scored) == len(known):
        figures |= estimate_intervals(_CALIBRATION, _tabulate(scored), _RESAMPLING)
    times = [record.time for record in records]
    return ServedReport(
        model, version, len(records), len(records) - len(known), min(times), max(times), figures
    )


def _tabulate(records: Sequence[Record]) -> Predictions:
    """Predictions over the labels that occur; only the likeliest label has its probability."""
    given = [record.predicted or () for record in records]
    labels = sorted({label for row in (*given, *(r.truth for r in records)) for label in row})
    column = {label: index for index, label in enumerate(labels)}
    shape = (len(records), max(len(labels), 1))
    predicted, truth = np.zeros(shape, bool), np.zeros(shape, bool)
    probabilities = np.zeros(shape)
    for row, record in enumerate(records):
        for label in given[row]:
            predicted[row, column[label]] = True
            probabilities[row, column[label]] = record.score or 0.0
        for label in record.truth:
            truth[row, column[label]] = True
    return Predictions(probabilities, predicted, truth)
