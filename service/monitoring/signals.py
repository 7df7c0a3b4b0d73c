"""The signals of an answer, and the classes that they are counted by.

All signals of an answer together are one row of class numbers. The classes of all signals are
numbered through, so that the counts of many rows are one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.reference import (
    CONFIDENCES,
    LENGTHS,
    MAX_LABELS,
    OTHER,
    UNKNOWN_SHARES,
    NamedCounts,
    RangeCounts,
    Reference,
)
from valence.service.monitoring.limits import Counts, Limits, find_limits

Name = Literal["label", "confidence", "length", "unknown_words", "language"]
OF_ANSWERS: tuple[Name, ...] = ("label", "confidence", "length", "unknown_words")
"""The signals that each answer has."""

Rows = NDArray[np.int64]
"""Classes by answer and signal: ``(answers, signals)``."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal with its classes.

    ``expected`` are the texts of the reference by class; None without a reference. The classes of
    an ``ordered`` signal are ranges of a number, and their names are the upper bounds.
    """

    name: Name
    classes: tuple[str, ...]
    ordered: bool
    expected: Counts | None

    def events(self) -> tuple[tuple[str, NDArray[np.int64]], ...]:
        """What is judged of a window: a name, and 1 for each class that belongs to it.

        A label, or a language, is an event. Of an ordered signal it is an event that a number is at
        most a bound: a shift of many classes by a little shows there.
        """
        if self.expected is None:
            return ()
        rows = np.eye(len(self.classes), dtype=np.int64)
        if self.ordered:
            rows = np.cumsum(rows, axis=0)[:-1]
        return tuple(zip(self.classes, rows, strict=False))


class Board:
    """The classes, events and limits of the signals of one window.

    At most one window in ``1 / rate`` has an event outside of its limits, if its texts are like
    those of the reference.
    """

    def __init__(self, signals: Sequence[Signal], *, window: int, rate: float) -> None:
        self.signals = tuple(signals)
        self.window = window
        self.rate = rate
        sizes = [len(signal.classes) for signal in signals]
        self.classes = sum(sizes)
        self.starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
        events = [
            (index, name, row)
            for index, signal in enumerate(signals)
            for name, row in signal.events()
        ]
        self.event_names = [(self.signals[index].name, name) for index, name, _ in events]
        """The signal and the name of each event."""
        self._matrix = np.zeros((len(events), self.classes), dtype=np.int64)
        expected, totals = [], []
        for number, (index, _, row) in enumerate(events):
            start, known = self.starts[index], self.signals[index].expected
            self._matrix[number, start : start + len(row)] = row
            expected.append(0 if known is None else int(row @ known))
            totals.append(0 if known is None else int(known.sum()))
        self.expected = np.array(expected, dtype=np.int64)
        """The texts of the reference of each event, out of ``totals``."""
        self.totals = np.array(totals, dtype=np.int64)
        self.limits: Limits = find_limits(self.expected, self.totals, window=window, rate=rate)

    def count(self, rows: Rows) -> Counts:
        """The number of ``rows`` in each class of each signal ``(classes,)``."""
        return np.bincount((rows + self.starts).ravel(), minlength=self.classes)

    def count_events(self, counts: Counts) -> Counts:
        """The number of texts of each event, from the ``counts`` of classes."""
        return self._matrix @ counts

    def find_drift(self, counts: Counts) -> dict[Name, bool]:
        """Whether each signal with a reference has an event outside of its limits."""
        events = self.count_events(counts)
        outside = (events < self.limits.low) | (events > self.limits.high)
        found: dict[Name, bool] = {}
        for (signal, _), drifted in zip(self.event_names, outside.tolist(), strict=True):
            found[signal] = found.get(signal, False) or drifted
        return found

    def split(self, counts: Counts) -> dict[Name, Counts]:
        """The ``counts`` of each signal."""
        parts = np.split(counts, self.starts[1:])
        return {signal.name: part for signal, part in zip(self.signals, parts, strict=True)}


class AnswerReader:
    """Reads the signals of answers of one model into rows of classes."""

    def __init__(self, manifest: Manifest, reference: Reference | None) -> None:
        labels = reference.labels if reference else _name_labels(manifest.labels)
        confidence = reference.confidence if reference else None
        lengths = reference.lengths if reference else None
        unknown = reference.unknown_words if reference else None
        self._others = len(labels.names) - 1
        self._labels = {label: index for index, label in enumerate(labels.names[:-1])}
        self._thresholds = (
            np.array([manifest.thresholds[label] for label in manifest.labels])
            if manifest.task == "multi_label"
            else None
        )
        self.signals = (
            Signal("label", labels.names, ordered=False, expected=_expect(labels)),
            _range_signal("confidence", confidence, CONFIDENCES),
            _range_signal("length", lengths, LENGTHS),
            _range_signal("unknown_words", unknown, UNKNOWN_SHARES),
        )
        self._bounds = [
            np.array(counts.bounds if counts else bounds)
            for counts, bounds in (
                (confidence, CONFIDENCES),
                (lengths, LENGTHS),
                (unknown, UNKNOWN_SHARES),
            )
        ]

    def read(self, predictions: Sequence[Prediction], usages: Sequence[Usage]) -> Rows:
        """One row for each answer."""
        find, others = self._labels.get, self._others
        labels = [find(prediction[0], others) for prediction in predictions]
        _, tokens, used, unknown, *_ = zip(*usages, strict=True)
        columns: tuple[NDArray[Any], ...] = (
            self._measure_confidence(predictions),
            np.array(tokens),
            np.array(unknown) / np.maximum(used, 1),
        )
        rows = np.empty((len(labels), len(OF_ANSWERS)), dtype=np.int64)
        rows[:, 0] = labels
        for place, (bounds, values) in enumerate(zip(self._bounds, columns, strict=True), 1):
            rows[:, place] = np.searchsorted(bounds, values)
        return rows

    def _measure_confidence(self, predictions: Sequence[Prediction]) -> NDArray[np.float64]:
        """The probability of each answer to be right."""
        probabilities = [prediction[1] for prediction in predictions]
        if self._thresholds is None:
            return np.fromiter(map(max, probabilities), np.float64, len(probabilities))
        return measure_decisions(np.array(probabilities), self._thresholds)


def measure_decisions(
    probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many of the decisions of a multi-label answer are right, as its probabilities say.

    Each label is a decision of its own: it is given from its threshold on. ``probabilities`` are
    ``(answers, labels)``; the answer is the share of the labels ``(answers,)``.
    """
    given = probabilities >= thresholds
    shares: NDArray[np.float64] = np.where(given, probabilities, 1 - probabilities).mean(axis=1)
    return shares


def _range_signal(name: Name, known: RangeCounts | None, bounds: Sequence[float]) -> Signal:
    bounds = known.bounds if known else bounds
    return Signal(
        name, (*(f"{bound:g}" for bound in bounds), ""), ordered=True, expected=_expect(known)
    )


def _expect(known: RangeCounts | NamedCounts | None) -> Counts | None:
    return np.array(known.texts, dtype=np.int64) if known and sum(known.texts) else None


def _name_labels(labels: Sequence[str]) -> NamedCounts:
    """The classes of labels that no reference has counted."""
    own = labels[:MAX_LABELS]
    return NamedCounts(names=(*own, OTHER), texts=(0,) * (len(own) + 1))
