"""A classifier as behavioural tests see it: texts in, labels and polarity out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from valence.training.metrics.predictions import Bools, Floats, predict_labels


class SentimentPrediction(NamedTuple):
    """The prediction for one text: the likeliest label, and two values in [-1, 1].

    ``value`` is the polarity of that label. ``polarity`` is the mean polarity of all labels,
    weighted by their probabilities.
    """

    label: str
    value: float
    polarity: float


@dataclass(frozen=True, slots=True)
class ModelUnderTest:
    """``probabilities`` gives (N, K) for N texts, in the order of ``labels``.

    A multi-label classifier has ``thresholds`` (K,). A classifier of sentiment has ``polarity``,
    the value of each label in [-1, 1].
    """

    labels: Sequence[str]
    probabilities: Callable[[Sequence[str]], Floats]
    thresholds: Sequence[float] | None = None
    polarity: Mapping[str, float] | None = None

    def predict_labels(self, texts: Sequence[str]) -> Bools:
        """The predicted labels of ``texts``: (N, K)."""
        return predict_labels(self.probabilities(texts), self.thresholds)

    def predict_sentiment(self, texts: Sequence[str]) -> list[SentimentPrediction]:
        """One prediction for each text. Raises :class:`ValueError` for labels without polarity."""
        if self.polarity is None:
            raise ValueError(f"the labels {list(self.labels)} have no polarity")
        values = np.array([self.polarity[label] for label in self.labels])
        probabilities = self.probabilities(texts)
        return [
            SentimentPrediction(self.labels[index], float(values[index]), polarity)
            for index, polarity in zip(
                probabilities.argmax(axis=1).tolist(),
                (probabilities @ values).tolist(),
                strict=True,
            )
        ]
