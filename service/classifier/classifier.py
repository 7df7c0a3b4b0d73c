"""A classifier without its engine: text to word ids, logits to calibrated predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import truncation as truncations
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest, Task
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import TextTooLong

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]


class Usage(NamedTuple):
    """What was read of a text, and what was not."""

    characters: int
    tokens: int
    tokens_used: int
    unknown_tokens: int
    windows: int = 1

    @property
    def truncated(self) -> bool:
        """Whether tokens were left out."""
        return self.tokens_used < self.tokens


class Document(NamedTuple):
    """A text ready for an engine: word ids ``(tokens_used,)``."""

    ids: WordIds
    usage: Usage


class Reading(NamedTuple):
    """A text ready for an engine in several documents; their answers weigh as much as said.

    ``unknown`` marks the words of each that are not in the vocabulary.
    """

    windows: tuple[WordIds, ...]
    weights: tuple[int, ...]
    usage: Usage
    unknown: tuple[NDArray[np.bool_], ...]


class Prediction(NamedTuple):
    """Calibrated probabilities in the order of ``Manifest.labels``.

    Where one label is right they sum to 1; in a multi-label model each is a label's own. ``label``
    is the likeliest; ``labels`` are those given: of a single-label model just that one, of a
    multi-label model all at or past their threshold, in the manifest's order, often none.
    """

    label: str
    probabilities: tuple[float, ...]
    polarity: float | None
    labels: tuple[str, ...]


class Classifier:
    """What is done before and after an engine, the same in training and in serving."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        polarity = artifact.manifest.polarity
        labels, thresholds = artifact.manifest.labels, artifact.manifest.thresholds
        # a prediction of one label costs no new tuple
        self._alone = tuple((label,) for label in labels)
        self._thresholds = (
            np.array([thresholds[label] for label in labels])
            if artifact.manifest.task == "multi_label"
            else None
        )
        self._polarity = (
            None
            if polarity is None
            else np.array([polarity[label] for label in artifact.manifest.labels])
        )

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        return self.artifact.manifest

    def encode(self, text: str) -> Document:
        """Tokenize ``text`` and look its words up; what exceeds ``max_tokens`` is left out."""
        ids, known, tokens = self.artifact.vocabulary.encode(
            text, max_tokens=self.manifest.max_tokens
        )
        read = len(ids)
        return Document(ids, Usage(len(text), tokens, read, read - int(np.count_nonzero(known))))

    def read(self, text: str, truncation: Truncation) -> Reading:
        """As :meth:`encode`, but of what exceeds ``max_tokens`` as ``truncation`` says.

        Raises :class:`TextTooLong` if it says ``error``.
        """
        limit = self.manifest.max_tokens
        ids, known, tokens = self.artifact.vocabulary.encode(text)
        parts = truncations.parts(tokens, limit, truncation)
        if not parts:
            message = (
                f"{tokens} tokens, the model reads {limit}; shorten the text or ask for another "
                "truncation"
            )
            raise TextTooLong(message)
        marks = tuple(~known[part.start : part.stop] for part in parts)
        windows = tuple(ids[part.start : part.stop] for part in parts)
        if truncation == "window":
            weights, read = truncations.fresh(parts), tokens
            strange = tokens - int(np.count_nonzero(known))
        else:
            windows, marks = _joined(windows), _joined(marks)
            weights, read = (1,), len(windows[0])
            strange = int(np.count_nonzero(marks[0]))
        usage = Usage(len(text), tokens, read, strange, windows=len(windows))
        return Reading(windows, weights, usage, marks)

    def combine(
        self, readings: Iterable[Reading], predictions: Sequence[Prediction]
    ) -> list[Prediction]:
        """From one for each window of ``readings`` to one for each reading: the weighted mean."""
        combined: list[Prediction] = []
        start = 0
        for reading in readings:
            windows = predictions[start : start + len(reading.windows)]
            start += len(windows)
            if len(windows) == 1:
                combined += windows
                continue
            rows = [prediction.probabilities for prediction in windows]
            mean = np.average(rows, axis=0, weights=reading.weights)
            combined += self._predictions(mean[np.newaxis])
        return combined

    def predict(self, logits: Logits) -> list[Prediction]:
        """A prediction for each row of ``logits`` ``(documents, labels)``."""
        manifest = self.manifest
        return self._predictions(
            probabilities(logits, temperature=manifest.temperature, task=manifest.task)
        )

    def _predictions(self, rows: Probabilities) -> list[Prediction]:
        labels, alone = self.manifest.labels, self._alone
        if self._thresholds is not None:
            return [
                Prediction(
                    labels[row.index(max(row))], tuple(row), None, tuple(compress(labels, past))
                )
                for row, past in zip(
                    rows.tolist(), (rows >= self._thresholds).tolist(), strict=True
                )
            ]
        polarities: Sequence[float | None] = (
            [None] * len(rows)
            if self._polarity is None
            else np.minimum(np.maximum(rows @ self._polarity, -1.0), 1.0).tolist()
        )
        return [
            Prediction(labels[place := row.index(max(row))], tuple(row), polarity, alone[place])
            for row, polarity in zip(rows.tolist(), polarities, strict=True)
        ]


def _joined(pieces: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    return pieces if len(pieces) == 1 else (np.concatenate(pieces),)


def probabilities(
    logits: Logits, *, temperature: float, task: Task = "single_label"
) -> Probabilities:
    """``softmax(logits / temperature)`` over the last axis, in float64 so that rows sum to 1.

    Of a ``multi_label`` task ``sigmoid(logits / temperature)``, each label's alone.
    """
    scaled: Probabilities = np.divide(logits, temperature, dtype=np.float64)
    if task == "multi_label":
        # a logit of any size overflows nothing
        return np.exp(-np.logaddexp(0.0, -scaled))
    # the functions, not the methods and np.clip around them: those cost a lone row half its time
    scaled -= np.maximum.reduce(scaled, axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= np.add.reduce(scaled, axis=-1, keepdims=True)
    return scaled
