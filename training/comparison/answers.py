"""What a classifier answered to labelled texts, and the figures that such answers come to.

A figure is a function of sums over the texts. So it can be computed for thousands of resamples of
the texts at once (:mod:`.bootstrap`): a resample changes how often a text counts, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from valence.training.evaluation import BINS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answers:
    """Probabilities (N, K) of N texts, the labels given and the labels that are true, both (N, K).

    Of a single-label task every row of ``given`` and ``true`` holds one True.
    """

    probabilities: Floats
    given: Bools
    true: Bools
    multi_label: bool = False

    @classmethod
    def of(
        cls,
        probabilities: Floats,
        truth: NDArray[np.int64],
        *,
        thresholds: Sequence[float] | None = None,
    ) -> Answers:
        """From what :func:`valence.training.evaluation.evaluate` takes: truth (N,), or (N, K) of 0 and 1.

        Raises :class:`ValueError` for shapes that do not fit.
        """
        expected = probabilities.shape if thresholds is not None else probabilities.shape[:1]
        if truth.shape != expected:
            raise ValueError(f"truth is of shape {truth.shape}, expected {expected}")
        given = labels_given(probabilities, thresholds)
        if thresholds is not None:
            return cls(probabilities, given, truth == 1, multi_label=True)
        return cls(probabilities, given, truth[:, np.newaxis] == np.arange(given.shape[1]))

    def __len__(self) -> int:
        return len(self.probabilities)

    def take(self, texts: Bools | NDArray[np.intp]) -> Answers:
        """The answers to some of the texts, by mask (N,) or places."""
        return Answers(
            self.probabilities[texts], self.given[texts], self.true[texts], self.multi_label
        )


def labels_given(probabilities: Floats, thresholds: Sequence[float] | None = None) -> Bools:
    """Of each text its likeliest label; with ``thresholds`` (K,) all at or past theirs: (N, K)."""
    if thresholds is not None:
        return probabilities >= np.asarray(thresholds)
    best: Bools = probabilities.argmax(axis=1)[:, np.newaxis] == np.arange(probabilities.shape[1])
    return best


class Figure(Protocol):
    """A figure of merit of :class:`Answers`."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a difference above 0 is a gain."""
        ...

    def columns(self, answers: Answers) -> Floats:
        """What is summed over the texts: (N, C)."""
        ...

    def value(self, sums: Floats) -> Floats:
        """The figure from sums (..., C) over the texts: (...)."""
        ...


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean F1 of the labels that occur, as :class:`valence.training.evaluation.Evaluation` has it."""

    higher_is_better: bool = True

    def columns(self, answers: Answers) -> Floats:
        """Found, given and true labels."""
        return _label_columns(answers)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where no label occurs."""
        found, given, true = np.split(sums, 3, axis=-1)  # (..., K)
        present = true > 0
        f1 = np.where(present, _f1(found, given, true), 0.0)
        mean: Floats = f1.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
        return mean


@dataclass(frozen=True, slots=True)
class MicroF1:
    """F1 over all labels given, each counting the same: the accuracy, where a text has one."""

    higher_is_better: bool = True

    def columns(self, answers: Answers) -> Floats:
        """Found, given and true labels of all kinds."""
        found = (answers.given & answers.true).sum(axis=1)
        sums = (found, answers.given.sum(axis=1), answers.true.sum(axis=1))
        return np.stack(sums, axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where no label was given and none is true."""
        return _f1(*np.moveaxis(sums, -1, 0))


@dataclass(frozen=True, slots=True)
class LabelF1:
    """F1 of the label at ``place`` against the rest."""

    place: int
    higher_is_better: bool = True

    def columns(self, answers: Answers) -> Floats:
        """Found, given and true labels of this kind."""
        given, true = answers.given[:, self.place], answers.true[:, self.place]
        return np.stack((given & true, given, true), axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where the label was neither given nor true."""
        return _f1(*np.moveaxis(sums, -1, 0))


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error, as :class:`valence.training.evaluation.Evaluation` has it."""

    higher_is_better: bool = False

    def columns(self, answers: Answers) -> Floats:
        """For each bin how much confidence exceeds accuracy; then 1, to count the texts."""
        if answers.multi_label:
            confidence, right = answers.probabilities, answers.true
        else:
            confidence = answers.probabilities.max(axis=1)[:, np.newaxis]
            right = np.any(answers.given & answers.true, axis=1, keepdims=True)
        edges = np.linspace(0.0, 1.0, BINS + 1)
        # as in the report: a confidence on an edge belongs to the bin that ends there
        bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
        excess = (confidence - right) / confidence.shape[1]  # (N, decisions of a text)
        columns = np.zeros((len(answers), BINS + 1))
        columns[:, BINS] = 1.0
        np.add.at(columns, (np.arange(len(answers))[:, np.newaxis], bins), excess)
        return columns

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]."""
        error: Floats = np.abs(sums[..., :BINS]).sum(axis=-1) / sums[..., BINS]
        return error


def _label_columns(answers: Answers) -> Floats:
    parts = (answers.given & answers.true, answers.given, answers.true)
    return np.concatenate(parts, axis=1).astype(np.float64)  # (N, 3 K)


def _f1(found: Floats, given: Floats, true: Floats) -> Floats:
    f1: Floats = 2 * found / np.maximum(given + true, 1)
    return f1
