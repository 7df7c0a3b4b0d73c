"""A teacher of two small layers for the corpus ``toy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from valence.training.config.schema import Distillation
from valence.training.corpora.example import Example
from valence.training.data.split import Splits, split
from valence.training.distillation.encoder_teacher import Ensemble
from valence.training.distillation.teacher import Lesson
from valence.training.embeddings.encoder_model import Encoder
from valence.training.runtime.progress import Reporter

LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="session")
def splits(examples: list[Example]) -> Splits:
    return split(examples)


@pytest.fixture
def teacher(
    encoder_folder: Path, splits: Splits, tmp_path: Path, silent: type[Reporter]
) -> Callable[..., Ensemble]:
    """Return a maker of teachers that share a folder; arguments change their settings."""

    def make(
        *,
        reporter: Reporter | None = None,
        train: tuple[Example, ...] = splits.train,
        folder: str = "teachers",
        **settings: object,
    ) -> Ensemble:
        chosen = {"teacher": str(encoder_folder), "learning_rate": 0.01, "epochs": 6}
        return Ensemble(
            Encoder(str(settings.get("teacher", encoder_folder))),
            Distillation.model_validate(chosen | settings),
            Lesson(train, splits.dev, LABELS, "single_label", use_shares=True),
            folder=tmp_path / folder,
            cache=tmp_path / "cache",
            device=torch.device("cpu"),
            reporter=reporter or silent(),
        )

    return make
