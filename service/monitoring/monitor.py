"""The monitor of one version of a model: what it answers, against what it answered at training.

It counts after the answer, many answers at once, and keeps counts alone. The only text that it
holds is one of each half second, until its language is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.reference import OTHER, UNTOLD, Reference
from valence.service.monitoring import language
from valence.service.monitoring.accuracy import AccuracyEstimator, Estimate
from valence.service.monitoring.limits import Counts
from valence.service.monitoring.signals import AnswerReader, Board, Name, Signal
from valence.service.monitoring.windows import History, Window, Windows
from valence.service.observability.metrics.monitoring import MonitoringMetrics
from valence.service.pacing.debounce import Debounced

# A window of so many texts shows a share that moves by about ten points. With 1,000 texts of
# another kind, one window has no other texts.
WINDOW_TEXTS = 500
# languages are told of one text in half a second
LANGUAGE_WINDOW_TEXTS = 100
# Of texts like those of the reference, at most one window in so many drifts.
WINDOWS_PER_FALSE_ALARM = 10_000
_FLUSH_SECONDS = 0.5
# What waits to be counted. Texts beyond are not counted, so that a flood costs little.
MAX_TEXTS = 1_000
_MAX_PROBABILITIES = 500_000


class Drift(NamedTuple):
    """What a window says about its signals."""

    window: Window
    signals: dict[Name, bool]
    """Whether each signal with a reference has drifted."""


class Monitor:
    """Counts the answers of one version; all methods belong to the event loop's thread.

    Workers share their counts in ``folder``; without one, this worker is the only one.
    """

    def __init__(
        self,
        manifest: Manifest,
        reference: Reference | None,
        metrics: MonitoringMetrics,
        folder: Path | None = None,
    ) -> None:
        self.manifest = manifest
        self.reference = reference
        self._metrics = metrics
        self._name = (manifest.name, manifest.version)
        self._reader = AnswerReader(manifest, reference)
        self.estimator = AccuracyEstimator(reference.confidence) if reference else None
        self.answers = _open_windows(self._reader.signals, WINDOW_TEXTS, folder, self._name)
        languages = reference.languages if reference else None
        self._languages: dict[str, int] = {}
        self.languages: Windows | None = None
        if languages is not None and language.is_available():
            self._languages = {name: index for index, name in enumerate(languages.names)}
            signal = Signal(
                "language", languages.names, ordered=False, expected=np.array(languages.texts)
            )
            self.languages = _open_windows((signal,), LANGUAGE_WINDOW_TEXTS, folder, self._name)
        self._waiting: list[tuple[Sequence[Prediction], Sequence[Usage]]] = []
        # since the last flush, and those of them that are not counted yet
        self._texts = self._held = 0
        self._labels = len(manifest.labels)
        self._sample: str | None = None
        self._flush_soon = Debounced(self.flush, seconds=_FLUSH_SECONDS)

    def begin(self) -> None:
        """Show the version in the metrics."""
        names = [
            name
            for windows in self.boards()
            for name in windows.board.find_drift(np.zeros(windows.board.classes, dtype=np.int64))
        ]
        accuracy = self.reference.accuracy if self.reference else None
        self._metrics.begin(*self._name, names, accuracy=accuracy)

    def end(self) -> None:
        """Take the version out of the metrics."""
        self._metrics.end(*self._name)

    def boards(self) -> tuple[Windows, ...]:
        """The windows of answers, and those of languages where they are told."""
        return (self.answers,) if self.languages is None else (self.answers, self.languages)

    def observe(
        self, texts: Sequence[str], predictions: Sequence[Prediction], usages: Sequence[Usage]
    ) -> None:
        """Count answers, at the next :meth:`flush`: at most half a second later."""
        if self._texts >= MAX_TEXTS or not predictions:
            return
        self._waiting.append((predictions, usages))
        self._texts += len(predictions)
        self._held += len(predictions)
        if len(self._waiting) == 1:
            if self.languages is not None:
                self._sample = self._sample or texts[0][: language.MAX_CHARACTERS]
            self._flush_soon.request()
        if self._held * self._labels >= _MAX_PROBABILITIES:
            self._count_waiting()

    def flush(self) -> None:
        """Count what waits."""
        self._count_waiting()
        self._texts = 0
        sample, self._sample = self._sample, None
        if sample is not None and self.languages is not None:
            told = language.tell_language(sample)
            name = UNTOLD if told is None else told
            row = self._languages.get(name, self._languages[OTHER])
            self._count(self.languages, np.array([[row]]))

    def _count_waiting(self) -> None:
        waiting, self._waiting, self._held = self._waiting, [], 0
        if not waiting:
            return
        predictions = [one for answers, _ in waiting for one in answers]
        usages = [one for _, read in waiting for one in read]
        rows = self._reader.read(predictions, usages)
        self._count(self.answers, rows)
        right = None
        if self.estimator is not None:
            right = float(self.estimator.accuracies[rows[:, 1]].sum())
        self._metrics.count_texts(*self._name, len(rows), right=right)

    def _count(self, windows: Windows, rows: NDArray[np.int64]) -> None:
        for window in windows.add(rows):
            self._metrics.count_window(*self._name, windows.board.find_drift(window.counts))

    def estimate_accuracy(self, counts: Counts) -> Estimate | None:
        """The accuracy of answers with these ``counts`` of classes; None without a reference."""
        if self.estimator is None:
            return None
        return self.estimator.estimate(self.answers.board.split(counts)["confidence"])


def judge_windows(windows: Windows, history: History) -> list[Drift]:
    """The drift of each window that is kept, the oldest first."""
    return [Drift(window, windows.board.find_drift(window.counts)) for window in history.last]


def _open_windows(
    signals: Sequence[Signal], texts: int, folder: Path | None, name: tuple[str, str]
) -> Windows:
    board = Board(signals, window=texts, rate=1 / WINDOWS_PER_FALSE_ALARM)
    if folder is None:
        return Windows(board)
    path = folder / f"monitor-{'-'.join(name)}-{signals[0].name}.counts"
    try:
        return Windows(board, path)
    except OSError:
        # a full disk: this worker counts alone
        return Windows(board)
