"""The metrics of an evaluation, in a form that the bootstrap can resample.

A metric is a function of sums over the texts. So a metric can be computed for thousands of
resamples of the texts at once (:mod:`.bootstrap`): a resample only changes how often a text counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from valence.training.metrics.predictions import Floats, Predictions
from valence.training.metrics.scores import BINS


class Metric(Protocol):
    """A metric of :class:`Predictions`."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a difference above 0 is a gain."""
        ...

    def columns(self, predictions: Predictions) -> Floats:
        """The columns (N, C) that are summed over the texts."""
        ...

    def value(self, sums: Floats) -> Floats:
        """The metric (...) from sums (..., C) over the texts."""
        ...


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over the texts of the values (N,) that ``per_text`` gives."""

    per_text: Callable[[Predictions], Floats]
    higher_is_better: bool = True

    def columns(self, predictions: Predictions) -> Floats:
        """The value of each text, and 1 to count the texts."""
        return np.stack((self.per_text(predictions), np.ones(len(predictions))), axis=1)

    def value(self, sums: Floats) -> Floats:
        """The mean."""
        mean: Floats = sums[..., 0] / sums[..., 1]
        return mean


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean F1 of the labels that occur, as in ``Evaluation.macro_f1``."""

    higher_is_better: bool = True

    def columns(self, predictions: Predictions) -> Floats:
        """True positives, predicted labels and true labels: (N, 3 K)."""
        positives = predictions.predicted & predictions.truth
        columns = (positives, predictions.predicted, predictions.truth)
        return np.concatenate(columns, axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where no label occurs."""
        positives, predicted, truth = np.split(sums, 3, axis=-1)  # (..., K)
        present = truth > 0
        f1 = np.where(present, _f1(positives, predicted, truth), 0.0)
        mean: Floats = f1.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
        return mean


@dataclass(frozen=True, slots=True)
class MicroF1:
    """F1 over all labels, where each predicted label counts the same.

    In a single-label task, micro-F1 equals accuracy.
    """

    higher_is_better: bool = True

    def columns(self, predictions: Predictions) -> Floats:
        """True positives, predicted labels and true labels, summed over the labels: (N, 3)."""
        positives = (predictions.predicted & predictions.truth).sum(axis=1)
        sums = (positives, predictions.predicted.sum(axis=1), predictions.truth.sum(axis=1))
        return np.stack(sums, axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 without predicted and without true labels."""
        return _f1(*np.moveaxis(sums, -1, 0))


@dataclass(frozen=True, slots=True)
class LabelF1:
    """F1 of the label at ``index`` against the rest."""

    index: int
    higher_is_better: bool = True

    def columns(self, predictions: Predictions) -> Floats:
        """True positives, predictions and occurrences of the label: (N, 3)."""
        predicted, truth = predictions.predicted[:, self.index], predictions.truth[:, self.index]
        return np.stack((predicted & truth, predicted, truth), axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where the label was neither predicted nor true."""
        return _f1(*np.moveaxis(sums, -1, 0))


@dataclass(frozen=True, slots=True)
class MacroRecall:
    """The mean recall of the labels that occur."""

    higher_is_better: bool = True

    def columns(self, predictions: Predictions) -> Floats:
        """True positives and true labels: (N, 2 K)."""
        columns = (predictions.predicted & predictions.truth, predictions.truth)
        return np.concatenate(columns, axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where no label occurs."""
        positives, truth = np.split(sums, 2, axis=-1)
        present = (truth > 0).sum(axis=-1)
        mean: Floats = (positives / np.maximum(truth, 1)).sum(axis=-1) / np.maximum(present, 1)
        return mean


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error, as in ``Evaluation.ece``."""

    higher_is_better: bool = False

    def columns(self, predictions: Predictions) -> Floats:
        """For each bin, confidence minus accuracy; then 1, to count the texts: (N, BINS + 1)."""
        if predictions.multi_label:
            confidence, correct = predictions.probabilities, predictions.truth
        else:
            confidence = predictions.probabilities.max(axis=1)[:, np.newaxis]
            correct = np.any(predictions.predicted & predictions.truth, axis=1, keepdims=True)
        edges = np.linspace(0.0, 1.0, BINS + 1)
        # as in Evaluation.reliability: a confidence on an edge belongs to the bin that ends there
        bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
        excess = (confidence - correct) / confidence.shape[1]  # (N, decisions of a text)
        columns = np.zeros((len(predictions), BINS + 1))
        columns[:, BINS] = 1.0
        np.add.at(columns, (np.arange(len(predictions))[:, np.newaxis], bins), excess)
        return columns

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]."""
        error: Floats = np.abs(sums[..., :BINS]).sum(axis=-1) / sums[..., BINS]
        return error


def mark_correct(predictions: Predictions) -> Floats:
    """1 for each text whose predicted labels are exactly the true labels, else 0: (N,)."""
    correct: Floats = np.all(predictions.predicted == predictions.truth, axis=1).astype(np.float64)
    return correct


def _squared_distances(predictions: Predictions) -> Floats:
    distances: Floats = ((predictions.probabilities - predictions.truth) ** 2).sum(axis=1)
    return distances


def _f1(positives: Floats, predicted: Floats, truth: Floats) -> Floats:
    f1: Floats = 2 * positives / np.maximum(predicted + truth, 1)
    return f1


METRICS: Mapping[str, Metric] = {
    "accuracy": Mean(mark_correct),
    "micro_f1": MicroF1(),
    "macro_f1": MacroF1(),
    "macro_recall": MacroRecall(),
    "ece": CalibrationError(),
    "brier": Mean(_squared_distances, higher_is_better=False),
}
"""The metrics under the names that they have in :class:`~.scores.Evaluation`."""
