"""What can teach, and which of it a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from service.classifier.manifest import TeacherRecord
from training.configuration import N_GRAMS, Configuration
from training.distillation.ensemble import Ensemble
from training.distillation.ngrams import NGrams
from training.progress import Reporter
from training.split import Splits


class Teacher(Protocol):
    """What is asked of one, however it comes to know."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``."""

    def record(
        self,
        *,
        metrics: dict[str, dict[str, float]],
        texts: dict[str, int],
        targets_sha256: str,
    ) -> TeacherRecord:
        """What taught, for a model's record; ``targets_sha256`` is of all that it said."""


def learn(
    configuration: Configuration,
    splits: Splits,
    *,
    folder: Path,
    cache: Path,
    device: torch.device,
    reporter: Reporter,
) -> Teacher:
    """The teacher that ``configuration`` has a section for, which has learnt or will when asked.

    Raises :class:`ConfigurationError` for what is no teacher.
    """
    settings = configuration.distillation
    assert settings is not None  # noqa: S101 - who asks has looked
    labels, task = configuration.labels, configuration.task
    use_shares = configuration.data.targets == "shares"
    if settings.teacher == N_GRAMS:
        return NGrams(
            splits.train,
            splits.dev,
            labels=labels,
            task=task,
            use_shares=use_shares,
            reporter=reporter,
        )
    return Ensemble(
        settings,
        splits.train,
        splits.dev,
        labels=labels,
        task=task,
        use_shares=use_shares,
        folder=folder,
        cache=cache,
        device=device,
        reporter=reporter,
    )
