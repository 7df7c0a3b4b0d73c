"""A character model that learns in a second, and text that follows a known rule."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from valence.training.char_lm import loop
from valence.training.char_lm.checkpoint import CharacterCheckpoint
from valence.training.char_lm.config import (
    CharacterConfiguration,
    CharacterData,
    CharacterNetwork,
    CharacterOptimization,
)
from valence.training.char_lm.documents import Document, DocumentSplits
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

# every character is determined except the digit, one of four: half a bit per character
SENTENCES = ("ab0.", "ab1.", "ab2.", "ab3.")


def words(count: int, *, seed: int) -> str:
    """Return ``count`` sentences drawn with ``seed``; the four sentences are equally likely."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randint(len(SENTENCES), (count,), generator=generator)
    return "".join(SENTENCES[place] for place in places)


@pytest.fixture(scope="session")
def texts() -> DocumentSplits:
    parts = ((1500, 1), (200, 2), (200, 3))
    return DocumentSplits(*((Document(words(count, seed=seed)),) for count, seed in parts))


def configuration(**optimization: object) -> CharacterConfiguration:
    chosen = {"learning_rate": 0.1, "streams": 8, "epochs": 3, **optimization}
    return CharacterConfiguration(
        name="toy",
        data=CharacterData(files=("unused.txt",)),
        network=CharacterNetwork(hidden_size=16, layers=2),
        optimization=CharacterOptimization.model_validate(chosen),
    )


@pytest.fixture(scope="session")
def toy(texts: DocumentSplits, tmp_path_factory: pytest.TempPathFactory) -> CharacterCheckpoint:
    """Return a trained model."""
    return train(configuration(), texts, tmp_path_factory.mktemp("toy") / "toy.safetensors")


def train(
    chosen: CharacterConfiguration, texts: DocumentSplits, target: Path, *, fresh: bool = False
) -> CharacterCheckpoint:
    return loop.train_model(
        chosen,
        texts,
        target=target,
        run=Run(Workspace(target.parent), Reporter()),
        fresh=fresh,
    )
