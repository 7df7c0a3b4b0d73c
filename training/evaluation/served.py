"""Quality of what was served, from feedback: accuracy, macro-F1 and calibration with intervals.

Feedback is about the texts that people chose to answer for. Where they choose mistakes, the figures
are worse than those of all texts. A mean hides weak kinds of texts, so slices have figures of their
own: by what was predicted, by the score, and by the source if the operator keeps it.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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
# values of a kind with a slice of their own; rarer values have none
_MAX_SLICES = 20
# upper bounds of the score in a slice; the last slice has no bound
_SCORES = (0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class ServedSlice:
    """The figures of one kind of the texts of a version."""

    kind: str
    """What the texts have in common: ``predicted``, ``score`` or ``source``."""
    name: str
    texts: int
    figures: Mapping[str, Interval]
    """As those of the version; of one predicted label the macro-F1 says nothing and is left out."""


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
    slices: Sequence[ServedSlice] = ()
    """The slices, by kind, the largest first."""


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
    times = [record.time for record in records]
    return ServedReport(
        model,
        version,
        len(records),
        len(records) - len(known),
        min(times),
        max(times),
        _measure_figures(known),
        [
            found
            for kind, name_of in _KINDS.items()
            for found in _measure_slices(kind, name_of, known)
        ],
    )


def _measure_figures(known: Sequence[Record]) -> dict[str, Interval]:
    """The figures of records whose prediction is known."""
    scored = [
        record for record in known if record.score is not None and len(record.predicted or ()) == 1
    ]
    figures: dict[str, Interval] = {}
    if known:
        figures |= estimate_intervals(_METRICS, _tabulate(known), _RESAMPLING)
    if scored and len(scored) == len(known):
        figures |= estimate_intervals(_CALIBRATION, _tabulate(scored), _RESAMPLING)
    return figures


def _measure_slices(
    kind: str, name_of: Callable[[Record], str], known: Sequence[Record]
) -> Iterable[ServedSlice]:
    """The slices of ``kind``; none if all records would be in one."""
    counts = Counter(name for name in map(name_of, known) if name)
    if counts.total() == len(known) and len(counts) == 1:
        return
    for name, texts in counts.most_common(_MAX_SLICES):
        figures = _measure_figures([record for record in known if name_of(record) == name])
        if kind == "predicted":
            del figures["macro-F1"]
        yield ServedSlice(kind, name, texts, figures)


def _name_score(record: Record) -> str:
    if record.score is None:
        return ""
    place = bisect.bisect_right(_SCORES, record.score)
    if place == len(_SCORES):
        return f"{_SCORES[-1]} or more"
    low = _SCORES[place - 1] if place else 0.0
    return f"{low} to {_SCORES[place]}"


_KINDS: Mapping[str, Callable[[Record], str]] = {
    "predicted": lambda record: ", ".join(record.predicted or ()),
    "score": _name_score,
    "source": lambda record: record.source,
}


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
