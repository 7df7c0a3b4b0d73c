"""The sampler of one version of a model: which texts of clients are kept for labelling.

Each text is looked at for one reason, chosen by chance, and gets a random priority that its weight
raises: weighted sampling with a reservoir (P. S. Efraimidis, P. G. Spirakis, *Weighted Random
Sampling with a Reservoir*, Information Processing Letters 97, 2006). The priorities of workers and
replicas compare, so together they keep the sample that one would keep.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.reference import Reference
from valence.service.monitoring.signals import AnswerReader, Rows
from valence.service.monitoring.worth import (
    Floats,
    Novelty,
    measure_uncertainty,
    read_thresholds,
)
from valence.service.pacing.debounce import Debounced
from valence.service.sampling.sample import SAMPLE_REASONS, SampledText
from valence.service.sampling.writer import SampleWriter

MAX_CHARACTERS = 10_000
"""A longer text is not kept: nobody labels a book."""
_FLUSH_SECONDS = 0.5
# What waits to be looked at. Texts beyond are not, so that a flood costs little.
_MAX_TEXTS, _MAX_WAITING_CHARACTERS = 500, 1_000_000
_WINDOW_TEXTS = 500
_ID_BYTES = 16
_LEAST_WEIGHT = 1e-9


class Sampler:
    """Chooses texts of one version; all methods belong to the event loop's thread."""

    def __init__(
        self,
        manifest: Manifest,
        reference: Reference | None,
        writer: SampleWriter,
        *,
        seed: int | None = None,
    ) -> None:
        self._manifest = manifest
        self._writer = writer
        self._random = np.random.default_rng(seed)
        self._reader = AnswerReader(manifest, reference)
        self._thresholds = read_thresholds(manifest)
        self._novelty = Novelty(self._reader.signals, window=_WINDOW_TEXTS)
        # the classes of the last texts, of which the novelty of the next ones is told
        self._window: deque[np.ndarray] = deque(maxlen=_WINDOW_TEXTS)
        self._waiting: list[tuple[str, Prediction, Usage]] = []
        self._characters = 0
        self._flush_soon = Debounced(self.flush, seconds=_FLUSH_SECONDS)

    def observe(
        self, texts: Sequence[str], predictions: Sequence[Prediction], usages: Sequence[Usage]
    ) -> None:
        """Look at answers, at the next :meth:`flush`: at most half a second later."""
        for answer in zip(texts, predictions, usages, strict=True):
            size = len(answer[0])
            if (
                not 0 < size <= MAX_CHARACTERS
                or len(self._waiting) >= _MAX_TEXTS
                or self._characters + size > _MAX_WAITING_CHARACTERS
            ):
                continue
            self._waiting.append(answer)
            self._characters += size
        if self._waiting:
            self._flush_soon.request()

    def flush(self) -> None:
        """Choose from what waits, and let the chosen texts be kept."""
        waiting, self._waiting, self._characters = self._waiting, [], 0
        if not waiting or self._writer.busy:
            return
        texts, predictions, usages = zip(*waiting, strict=True)
        rows = self._reader.read(predictions, usages)
        self._window.extend(rows)
        probabilities = np.array([one.probabilities for one in predictions])
        weights = np.stack(
            [
                measure_uncertainty(probabilities, self._thresholds),
                self._measure_novelty(rows),
                self._weigh_labels(rows),
            ]
        )
        reasons = self._random.integers(len(SAMPLE_REASONS), size=len(texts))
        chosen = weights[reasons, np.arange(len(texts))]
        # the logarithm of u ** (1 / w), which does not underflow
        priorities = np.log(self._random.random(len(texts))) / np.maximum(chosen, _LEAST_WEIGHT)
        now, kept = time.time(), []
        name, version = self._manifest.name, self._manifest.version
        lowest = self._writer.lowest
        for index in np.flatnonzero(chosen > _LEAST_WEIGHT).tolist():
            reason, priority = SAMPLE_REASONS[reasons[index]], float(priorities[index])
            # a named tuple of the store equals a plain one
            if priority <= lowest.get((name, reason), -math.inf):  # type: ignore[call-overload]
                continue
            prediction = predictions[index]
            kept.append(
                SampledText(
                    id=_name_text(name, texts[index]),
                    model=name,
                    version=version,
                    time=now,
                    reason=reason,
                    priority=priority,
                    predicted=prediction.labels,
                    score=max(prediction.probabilities),
                    text=texts[index],
                )
            )
        if kept:
            self._writer.keep(kept)

    def _measure_novelty(self, rows: Rows) -> Floats:
        """0 until a window is full."""
        if len(self._window) < _WINDOW_TEXTS:
            return np.zeros(len(rows))
        return self._novelty.measure(rows, self._novelty.board.count(np.array(self._window)))

    def _weigh_labels(self, rows: Rows) -> Floats:
        """So that each label is kept about as often: the inverse of its share in the window."""
        labels = np.bincount(np.array(self._window)[:, 0], minlength=rows[:, 0].max() + 1)
        return np.asarray(1.0 / labels[rows[:, 0]])


def _name_text(model: str, text: str) -> str:
    content = f"{model}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=_ID_BYTES).hexdigest()
