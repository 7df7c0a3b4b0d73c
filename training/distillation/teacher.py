"""The interface of teachers, the data that a teacher learns from, and the mean of teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Task, TeacherOrigin
from valence.training.corpora.example import Example
from valence.training.data.targets import label_indices, soft_targets
from valence.training.metrics import calibration


@dataclass(frozen=True, slots=True)
class TeacherData:
    """A teacher learns from ``train`` and ``counterfactuals``, and is calibrated on ``dev``."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    labels: tuple[str, ...]
    task: Task
    use_shares: bool
    counterfactuals: tuple[Example, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The N texts that the teacher learns from, those of ``train`` first."""
        return [example.text for example in (*self.train, *self.counterfactuals)]

    def targets(self) -> NDArray[np.float32]:
        """The targets of these texts, probabilities ``(N, K)``."""
        given = soft_targets(
            self.train, labels=self.labels, task=self.task, use_shares=self.use_shares
        )
        if not self.counterfactuals:
            return given
        known = soft_targets(
            self.counterfactuals, labels=self.labels, task=self.task, use_shares=True
        )
        return np.concatenate([given, known])

    def temperature(self, logits: NDArray[np.float32]) -> float:
        """The temperature that calibrates ``logits`` ``(M, K)`` of the M dev texts."""
        truth = label_indices(self.dev, labels=self.labels, task=self.task)
        return calibration.fit_temperature(logits.astype(np.float64), truth)


class Teacher(Protocol):
    """A model whose logits a student learns from."""

    @property
    def origin(self) -> TeacherOrigin:
        """The record of what the teacher was made from; known after the first logits."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``."""


class MeanTeacher:
    """One or more teachers; their answer is the mean of their logits."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = tuple(teachers)

    @property
    def origins(self) -> tuple[TeacherOrigin, ...]:
        """The records of the teachers; known after the first logits."""
        return tuple(teacher.origin for teacher in self._teachers)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the teachers' calibrated logits ``(N, K)``."""
        mean: NDArray[np.float32] = np.mean(
            [teacher.logits(texts) for teacher in self._teachers], axis=0
        )
        return mean
