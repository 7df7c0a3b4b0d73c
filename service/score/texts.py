"""The scores of texts as columns: label, probabilities, usage, reason and error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from valence.service.classifier.classifier import (
    Classifier,
    Prediction,
    Usage,
    WindowedText,
    require_finite,
)
from valence.service.classifier.result import UNCERTAIN, find_doubt
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import NonFiniteAnswer, TextTooLong
from valence.service.files.fault import LENGTH, NUMBERS, Fault
from valence.service.inference.engines.interface import Engine
from valence.service.score.options import ScoreOptions

# windows per call of the engine
_BATCH = 256
_COUNTS = Usage._fields[:5]

Scores = Sequence[tuple[Any, ...]]
"""The values of all columns for each text; None where a text does not have a value.

The last value, the error, is a :class:`~valence.service.files.fault.Fault`.
"""


Judgement = tuple[Prediction, Usage]
"""What the model says about a text, and what it read of the text."""


class TextScorer:
    """Scores texts with one classifier on one engine. The scores of a text depend on it alone.

    ``columns`` are the names of the columns that :meth:`score` gives.
    """

    def __init__(
        self, classifier: Classifier, engine: Engine, options: ScoreOptions | None = None
    ) -> None:
        self.classifier = classifier
        self.engine = engine
        self.options = options or ScoreOptions()
        self._labels = classifier.manifest.labels
        self._probabilities = tuple(f"probability_{label}" for label in self._labels)
        # a model that does not tell texts outside its labels has no column for it
        self._outside = ("outside",) if classifier.manifest.outside else ()
        self.columns = (
            *("label", *self._probabilities, *self._outside),
            *(*_COUNTS, "truncated", "reason", "error"),
        )

    @property
    def types(self) -> dict[str, type]:
        """The type of the values of each column."""
        types: dict[str, type] = dict.fromkeys((*self._probabilities, *self._outside), float)
        types |= dict.fromkeys(_COUNTS, int)
        types["truncated"] = bool
        return {name: types.get(name, str) for name in self.columns}

    def score(self, texts: Sequence[str | Fault]) -> Scores:
        """The values of :attr:`columns` for each of ``texts``.

        A fault, and a text that cannot be scored, has no value but an error.
        """
        return [
            self._refuse(judged) if isinstance(judged, Fault) else self._shape(*judged)
            for judged in self.judge(texts)
        ]

    def judge(self, texts: Sequence[str | Fault]) -> list[Judgement | Fault]:
        """The prediction and the usage of each of ``texts``, or the fault of a text.

        ``min_confidence`` and ``unreadable`` of the options play no part here.
        """
        encoded = [self._encode(text) for text in texts]
        predictions = iter(self._predict_windows(encoded))
        return [self._judge(item, predictions) for item in encoded]

    def _encode(self, text: str | Fault) -> WindowedText | Fault:
        if isinstance(text, Fault):
            return text
        if self.options.truncation == "head":
            # needs no array but the ids, and leaves out what the model does not read
            ids, usage = self.classifier.encode_head(text)
            return WindowedText((ids,), (1,), usage, ())
        try:
            return self.classifier.encode_windows(text, self.options.truncation)
        except TextTooLong as error:
            return Fault(str(error), LENGTH)

    def _predict_windows(
        self, encoded: Sequence[WindowedText | Fault]
    ) -> list[Prediction | NonFiniteAnswer]:
        """A prediction, or the fault, of each window of all texts."""
        windows = [
            window for item in encoded if not isinstance(item, Fault) for window in item.windows
        ]
        # windows of similar length in one batch, the longest first
        order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
        predictions: dict[int, Prediction | NonFiniteAnswer] = {}
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            answers = self._predict([windows[index] for index in chosen])
            predictions |= zip(chosen, answers, strict=True)
        return [predictions[index] for index in range(len(windows))]

    def _predict(self, windows: Sequence[WordIds]) -> list[Prediction | NonFiniteAnswer]:
        """A prediction for each window, or the fault of a window whose logits are not finite."""
        logits = self.engine.logits(windows)
        try:
            require_finite(logits)
        except NonFiniteAnswer as error:
            finite = [bool(np.isfinite(row).all()) for row in logits]
            predictions = iter(self.classifier.predict(logits[finite]))
            return [next(predictions) if sound else error for sound in finite]
        return list(self.classifier.predict(logits))

    def _judge(
        self,
        item: WindowedText | Fault,
        predictions: Iterator[Prediction | NonFiniteAnswer],
    ) -> Judgement | Fault:
        """The judgement of one text, which takes its windows from ``predictions``."""
        if isinstance(item, Fault):
            return item
        of_text = list(islice(predictions, len(item.windows)))
        fault = next((one for one in of_text if isinstance(one, NonFiniteAnswer)), None)
        if fault is not None:
            return Fault(str(fault), NUMBERS)
        complete = [one for one in of_text if isinstance(one, Prediction)]
        (merged,) = self.classifier.merge_windows([item], complete)
        return merged, item.usage

    def _refuse(self, fault: Fault) -> tuple[Any, ...]:
        return (*[None] * (len(self.columns) - 1), fault)

    def _shape(self, prediction: Prediction, usage: Usage) -> tuple[Any, ...]:
        options, probabilities = self.options, prediction.probabilities
        reason = find_doubt(
            prediction,
            max(probabilities),
            usage,
            min_confidence=options.min_confidence,
            unreadable=options.unreadable,
        )
        label = prediction.label if reason is None else UNCERTAIN
        shown: Sequence[float | None] = probabilities
        if options.top_k:
            order = range(len(probabilities))
            ranked = sorted(order, key=probabilities.__getitem__, reverse=True)
            chosen = set(ranked[: options.top_k])
            shown = [probabilities[index] if index in chosen else None for index in order]
        outside = (prediction.outside,) if self._outside else ()
        counts = usage[: len(_COUNTS)]
        return (label, *shown, *outside, *counts, usage.truncated, reason, None)
