"""A teacher of two small layers for the corpus ``toy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from valence.training.config.schema import Distillation
from valence.training.corpora.example import Example
from valence.training.data.split import Splits, split_by_hash
from valence.training.distillation import fine_tuning
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.distillation.teacher import TeacherData
from valence.training.embeddings.encoder_model import Encoder
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="session")
def splits(examples: list[Example]) -> Splits:
    return split_by_hash(examples)


@pytest.fixture(autouse=True)
def _few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the pieces per batch, so that the toy texts make enough batches to learn from."""
    monkeypatch.setattr(fine_tuning, "_BATCH_PIECES", 128)


@pytest.fixture
def teacher(
    encoder_folder: Path, splits: Splits, tmp_path: Path, silent: type[Reporter]
) -> Callable[..., EncoderTeacher]:
    """Return a maker of teachers that share a folder; arguments change their settings."""

    def make(
        *,
        reporter: Reporter | None = None,
        train: tuple[Example, ...] = splits.train,
        folder: str = "teachers",
        **settings: object,
    ) -> EncoderTeacher:
        chosen = {"teacher": str(encoder_folder), "learning_rate": 0.01, "epochs": 6}
        return EncoderTeacher(
            Encoder(str(settings.get("teacher", encoder_folder))),
            Distillation.model_validate(chosen | settings),
            TeacherData(train, splits.dev, LABELS, "single_label", use_shares=True),
            Run(Workspace(tmp_path / folder), reporter or silent()),
        )

    return make
