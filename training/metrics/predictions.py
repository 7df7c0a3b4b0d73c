"""The predictions of one classifier for labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities, predicted labels and true labels of N texts over K labels, each (N, K).

    In a single-label task each row of ``predicted`` and of ``truth`` holds one True.
    """

    probabilities: Floats
    predicted: Bools
    truth: Bools
    multi_label: bool = False

    @classmethod
    def from_probabilities(
        cls,
        probabilities: Floats,
        truth: NDArray[np.int64],
        *,
        thresholds: Sequence[float] | None = None,
    ) -> Predictions:
        """Predictions from the arguments of :func:`valence.training.metrics.scores.evaluate`.

        ``probabilities`` is (N, K). ``truth`` is (N,) label indices. With ``thresholds`` (K,),
        ``truth`` is (N, K), of 0 and 1. Raises :class:`ValueError` for shapes that do not fit.
        """
        expected = probabilities.shape if thresholds is not None else probabilities.shape[:1]
        if truth.shape != expected:
            raise ValueError(f"truth is of shape {truth.shape}, expected {expected}")
        predicted = predict_labels(probabilities, thresholds)
        if thresholds is not None:
            return cls(probabilities, predicted, truth == 1, multi_label=True)
        one_hot = truth[:, np.newaxis] == np.arange(predicted.shape[1])
        return cls(probabilities, predicted, one_hot)

    def __len__(self) -> int:
        return len(self.probabilities)

    def take(self, texts: Bools | NDArray[np.intp]) -> Predictions:
        """The predictions for a selection of the texts: a mask (N,) or indices."""
        return Predictions(
            self.probabilities[texts], self.predicted[texts], self.truth[texts], self.multi_label
        )


def predict_labels(probabilities: Floats, thresholds: Sequence[float] | None = None) -> Bools:
    """The predicted labels (N, K): the likeliest label of each text.

    With ``thresholds`` (K,), each text gets all labels whose probability reaches the label's
    threshold.
    """
    if thresholds is not None:
        return probabilities >= np.asarray(thresholds)
    best: Bools = probabilities.argmax(axis=1)[:, np.newaxis] == np.arange(probabilities.shape[1])
    return best
