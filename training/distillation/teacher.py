"""What a teacher is, however it comes to know: what it learns from, what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Task, TeacherOrigin
from valence.training import calibration, targets
from valence.training.corpora.example import Example


@dataclass(frozen=True, slots=True)
class Lesson:
    """A teacher learns from ``train`` and is calibrated on ``dev``."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    labels: tuple[str, ...]
    task: Task
    use_shares: bool

    def wanted(self) -> NDArray[np.float32]:
        """What is to be said of each training text, probabilities ``(N, K)``."""
        return targets.probabilities(
            self.train, labels=self.labels, task=self.task, use_shares=self.use_shares
        )

    def temperature(self, logits: NDArray[np.float32]) -> float:
        """The one that calibrates ``logits`` ``(M, K)`` of the dev texts."""
        truth = targets.truth(self.dev, labels=self.labels, task=self.task)
        return calibration.fit_temperature(logits.astype(np.float64), truth)


class Teacher(Protocol):
    """What is asked of one."""

    @property
    def origin(self) -> TeacherOrigin:
        """Known once it has answered."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``."""


class Together:
    """Several teachers, or one, that answer with the mean of what they say."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = tuple(teachers)

    @property
    def origins(self) -> tuple[TeacherOrigin, ...]:
        """Known once they have answered."""
        return tuple(one.origin for one in self._teachers)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The mean of their calibrated logits ``(N, K)``."""
        found: NDArray[np.float32] = np.mean([one.logits(texts) for one in self._teachers], axis=0)
        return found
