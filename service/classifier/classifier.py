"""A classifier without its engine: text to word ids, logits to calibrated predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import truncation as truncations
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest, Task
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import Encoded, WordIds
from valence.service.errors import NonFiniteAnswer, TextTooLong

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]


class Usage(NamedTuple):
    """How much of a text the model reads, in characters and tokens."""

    characters: int
    tokens: int
    tokens_used: int
    unknown_tokens: int
    windows: int = 1
    unreadable: bool = False
    """Whether the model knows no token that it reads, as written or as a misspelling."""

    @property
    def truncated(self) -> bool:
        """Whether the model leaves out tokens of the text."""
        return self.tokens_used < self.tokens


class Document(NamedTuple):
    """A text as one input of an engine: word ids ``(tokens_used,)``."""

    ids: WordIds
    usage: Usage


class WindowedText(NamedTuple):
    """A text as one or more inputs of an engine, its windows.

    ``weights`` are those of the windows' predictions in the text's prediction. ``unknown`` marks
    the tokens of each window that are outside the vocabulary.
    """

    windows: tuple[WordIds, ...]
    weights: tuple[int, ...]
    usage: Usage
    unknown: tuple[NDArray[np.bool_], ...]


class Prediction(NamedTuple):
    """Calibrated probabilities in the order of ``Manifest.labels``.

    Of a single-label model they sum to 1. Of a multi-label model each is the probability of that
    label alone. ``label`` is the likeliest label. ``labels`` are the labels given: of a
    single-label model just ``label``; of a multi-label model all labels that reach their threshold,
    in the order of the manifest, often none.

    ``outside`` is the probability that the text belongs to none of the labels, for a model that
    tells. ``is_outside`` is whether it reaches the threshold of the model.
    """

    label: str
    probabilities: tuple[float, ...]
    polarity: float | None
    labels: tuple[str, ...]
    outside: float | None = None
    is_outside: bool = False


class Classifier:
    """The steps before and after an engine, the same in training and in serving."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        polarity = artifact.manifest.polarity
        labels, thresholds = artifact.manifest.labels, artifact.manifest.thresholds
        # the tuple of each label, made once for all predictions
        self._label_tuples = tuple((label,) for label in labels)
        self._thresholds = (
            np.array([thresholds[label] for label in labels])
            if artifact.manifest.task == "multi_label"
            else None
        )
        outside = artifact.manifest.outside
        self._outside_threshold = None if outside is None else outside.threshold
        self._polarity = (
            None
            if polarity is None
            else np.array([polarity[label] for label in artifact.manifest.labels])
        )

    @property
    def manifest(self) -> Manifest:
        """The manifest of the artifact."""
        return self.artifact.manifest

    def encode_head(self, text: str) -> Document:
        """The ids of the first ``max_tokens`` tokens of ``text``."""
        ids, unknown, tokens = self.artifact.vocabulary.encode_head(text, self.manifest.max_tokens)
        return _make_document(text, ids, unknown, tokens)

    def select_head(self, text: str, encoded: Encoded) -> Document:
        """As :meth:`encode_head`, for a text of which ``max_tokens`` tokens are ``encoded``."""
        ids, known, tokens = encoded
        return _make_document(text, ids, len(ids) - int(np.count_nonzero(known)), tokens)

    def encode_windows(self, text: str, truncation: Truncation) -> WindowedText:
        """The ids of the tokens of ``text`` that ``truncation`` selects.

        Raises :class:`TextTooLong` for more than ``max_tokens`` tokens if ``truncation`` is
        ``error``.
        """
        return self.select_windows(text, self.artifact.vocabulary.encode(text), truncation)

    def select_windows(self, text: str, encoded: Encoded, truncation: Truncation) -> WindowedText:
        """As :meth:`encode_windows`, for a text that is ``encoded``."""
        limit = self.manifest.max_tokens
        ids, known, tokens = encoded
        ranges = truncations.select_ranges(tokens, limit, truncation)
        if not ranges:
            message = (
                f"the text has {tokens} tokens, the model reads {limit}; shorten the text or "
                "choose another truncation"
            )
            raise TextTooLong(message)
        unknown = tuple(~known[window.start : window.stop] for window in ranges)
        windows = tuple(ids[window.start : window.stop] for window in ranges)
        if truncation == "window":
            weights, used = truncations.count_new_tokens(ranges), tokens
            unknown_tokens = tokens - int(np.count_nonzero(known))
        else:
            # copies: the ids of the whole text need not stay in memory
            windows, unknown = _concatenate(windows), _concatenate(unknown)
            weights, used = (1,), len(windows[0])
            unknown_tokens = int(np.count_nonzero(unknown[0]))
        unreadable = unknown_tokens == used and not any(window.any() for window in windows)
        usage = Usage(len(text), tokens, used, unknown_tokens, len(windows), unreadable)
        return WindowedText(windows, weights, usage, unknown)

    def merge_windows(
        self, texts: Iterable[WindowedText], predictions: Sequence[Prediction]
    ) -> list[Prediction]:
        """The weighted mean of the windows' predictions, for each of ``texts``."""
        merged: list[Prediction] = []
        start = 0
        for text in texts:
            windows = predictions[start : start + len(text.windows)]
            start += len(windows)
            if len(windows) == 1:
                merged += windows
                continue
            rows = [prediction.probabilities for prediction in windows]
            mean = np.average(rows, axis=0, weights=text.weights)
            whole = self._predictions(mean[np.newaxis])
            if self._outside_threshold is not None:
                scores = [prediction.outside or 0.0 for prediction in windows]
                whole = self._mark_outside(whole, [float(np.average(scores, weights=text.weights))])
            merged += whole
        return merged

    def predict(self, logits: Logits) -> list[Prediction]:
        """One prediction for each row of ``logits`` ``(documents, outputs)``."""
        predictions = self._predictions(read_probabilities(logits, self.manifest))
        if self._outside_threshold is None:
            return predictions
        return self._mark_outside(predictions, read_outside(logits).tolist())

    def _mark_outside(
        self, predictions: Sequence[Prediction], scores: Sequence[float]
    ) -> list[Prediction]:
        """``predictions`` with the probabilities that their texts belong to none of the labels."""
        threshold = self._outside_threshold
        assert threshold is not None  # noqa: S101 - only models that tell have scores
        return [
            Prediction(*prediction[:4], score, score >= threshold)
            for prediction, score in zip(predictions, scores, strict=True)
        ]

    def _predictions(self, rows: Probabilities) -> list[Prediction]:
        labels, label_tuples = self.manifest.labels, self._label_tuples
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
            # rounding may exceed the range by a little
            else [min(max(value, -1.0), 1.0) for value in (rows @ self._polarity).tolist()]
        )
        return [
            Prediction(
                labels[index := row.index(max(row))], tuple(row), polarity, label_tuples[index]
            )
            for row, polarity in zip(rows.tolist(), polarities, strict=True)
        ]


def require_finite(values: NDArray[np.floating]) -> None:
    """Raise :class:`NonFiniteAnswer` if ``values``, such as logits, have NaN or infinity."""
    # The sum of the squares takes half of the time of isfinite, and is finite only if all values
    # are. It may overflow for finite values, so then they are looked at one by one.
    if not math.isfinite(np.vdot(values, values)) and not np.isfinite(values).all():
        raise NonFiniteAnswer(
            "the model computed a number that is not finite; its weights are damaged, or too "
            "large for this text: train the model again"
        )


def _make_document(text: str, ids: WordIds, unknown: int, tokens: int) -> Document:
    """The head of ``text``: the ``ids`` of its first tokens, of which so many are unknown."""
    used = len(ids)
    # a misspelled word is unknown, and has the id of the word that it is read as
    unreadable = unknown == used and not ids.any()
    return Document(ids, Usage(len(text), tokens, used, unknown, 1, unreadable))


def _concatenate(pieces: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    return (np.concatenate(pieces),)


def to_probabilities(
    logits: Logits, *, temperature: float, task: Task = "single_label"
) -> Probabilities:
    """``softmax(logits / temperature)`` over the last axis, in float64 so that rows sum to 1.

    For a ``multi_label`` task: ``sigmoid(logits / temperature)``, for each label alone.
    """
    scaled: Probabilities = np.divide(logits, temperature, dtype=np.float64)
    if task == "multi_label":
        # this form does not overflow for any logit
        return np.exp(-np.logaddexp(0.0, -scaled))
    # ufuncs instead of methods and np.clip, which take half of the time for a single row
    scaled -= np.maximum.reduce(scaled, axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= np.add.reduce(scaled, axis=-1, keepdims=True)
    return scaled


def read_probabilities(logits: Logits, manifest: Manifest) -> Probabilities:
    """The probabilities ``(documents, labels)`` of ``logits``, the outputs of an engine."""
    labels = len(manifest.labels)
    return to_probabilities(
        logits if logits.shape[-1] == labels else logits[..., :labels],
        temperature=manifest.temperature,
        task=manifest.task,
    )


def read_outside(logits: Logits) -> Probabilities:
    """The probability of each document ``(documents,)`` that it belongs to none of the labels.

    ``logits`` are the outputs of an engine for a model that tells.
    """
    return to_probabilities(logits[..., -1], temperature=1.0, task="multi_label")
