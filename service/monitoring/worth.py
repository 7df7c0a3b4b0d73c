"""What a label of a text is worth: how unsure the model is, and how new the kind of text is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Manifest
from valence.service.monitoring.limits import Counts
from valence.service.monitoring.signals import Board, Rows, Signal

Floats = NDArray[np.float64]

# Of texts like those of the training, at most one window in so many has texts that count as new.
_WINDOWS_PER_FALSE_ALARM = 10_000


def read_thresholds(manifest: Manifest) -> Floats | None:
    """The thresholds of a multi-label model in the order of its labels; None for another."""
    if manifest.task == "single_label":
        return None
    return np.array([manifest.thresholds[label] for label in manifest.labels])


def measure_uncertainty(probabilities: Floats, thresholds: Floats | None = None) -> Floats:
    """How unsure each of ``probabilities`` ``(texts, K)`` is, from 0 to 1.

    Of a single-label model 1 minus the margin of the likeliest label. Of a multi-label model, whose
    ``thresholds`` are ``(K,)``, how near the nearest label is to its threshold.
    """
    if thresholds is None:
        best = np.partition(probabilities, -2, axis=1)[:, -2:]
        return np.asarray(1.0 - (best[:, 1] - best[:, 0]))
    above = probabilities >= thresholds
    room = np.where(above, 1.0 - thresholds, thresholds)
    distances = np.abs(probabilities - thresholds) / np.maximum(room, 1e-9)
    return np.asarray(1.0 - distances.min(axis=1))


class Novelty:
    """How much texts belong to what is new in a window of ``window`` texts.

    Of a signal that has drifted, a class that is three times as frequent as in the training has two
    thirds of its texts from somewhere else: that share is the novelty of each of its texts.
    Epidemiology calls it the attributable fraction among the exposed.
    """

    def __init__(self, signals: Sequence[Signal], *, window: int) -> None:
        self.board = Board(signals, window=window, rate=1 / _WINDOWS_PER_FALSE_ALARM)

    def measure(self, rows: Rows, counts: Counts) -> Floats:
        """The novelty of texts of the classes ``rows``, in a window with these ``counts``.

        It is 0 for all texts of a model that does not know how its training was.
        """
        novelty = np.zeros(len(rows))
        split, drifted = self.board.split(counts), self.board.find_drift(counts)
        for column, signal in enumerate(self.board.signals):
            if not drifted.get(signal.name) or signal.expected is None:
                continue
            expected, found = signal.expected, split[signal.name]
            usual = (expected + 1) / (expected.sum() + len(expected))
            surplus = 1.0 - usual * (found.sum() + len(found)) / (found + 1)
            np.maximum(novelty, surplus[rows[:, column]], out=novelty)
        return novelty
