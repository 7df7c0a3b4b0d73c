"""The figures of an evaluation, as what can be resampled: by the names they have there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from valence.training.comparison.answers import (
    Answers,
    CalibrationError,
    Figure,
    Floats,
    MacroF1,
    MicroF1,
)
from valence.training.comparison.bootstrap import Resampling, intervals

# enough for the second digit of an interval's ends
_DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over the texts of what ``of`` says of each: (N,)."""

    of: Callable[[Answers], Floats]
    higher_is_better: bool = True

    def columns(self, answers: Answers) -> Floats:
        """The value, and 1 to count the texts."""
        return np.stack((self.of(answers), np.ones(len(answers))), axis=1)

    def value(self, sums: Floats) -> Floats:
        """The mean."""
        mean: Floats = sums[..., 0] / sums[..., 1]
        return mean


@dataclass(frozen=True, slots=True)
class MacroRecall:
    """The mean recall of the labels that occur."""

    higher_is_better: bool = True

    def columns(self, answers: Answers) -> Floats:
        """Found and true labels."""
        parts = (answers.given & answers.true, answers.true)
        return np.concatenate(parts, axis=1).astype(np.float64)  # (N, 2 K)

    def value(self, sums: Floats) -> Floats:
        """In [0, 1]; 0 where no label occurs."""
        found, true = np.split(sums, 2, axis=-1)
        present = (true > 0).sum(axis=-1)
        mean: Floats = (found / np.maximum(true, 1)).sum(axis=-1) / np.maximum(present, 1)
        return mean


def right(answers: Answers) -> Floats:
    """Of each text whether it was given its label; of several, just the right ones: (N,)."""
    all_right: Floats = np.all(answers.given == answers.true, axis=1).astype(np.float64)
    return all_right


def _brier(answers: Answers) -> Floats:
    distance: Floats = ((answers.probabilities - answers.true) ** 2).sum(axis=1)
    return distance


FIGURES: Mapping[str, Figure] = {
    "accuracy": Mean(right),
    "micro_f1": MicroF1(),
    "macro_f1": MacroF1(),
    "macro_recall": MacroRecall(),
    "ece": CalibrationError(),
    "brier": Mean(_brier, higher_is_better=False),
}


def bounds(answers: Answers) -> dict[str, tuple[float, float]]:
    """The interval of each of :data:`FIGURES` that holds 95 of 100 bootstrap samples."""
    found = intervals(FIGURES, answers, Resampling(draws=_DRAWS))
    return {name: (one.low, one.high) for name, one in found.items()}
