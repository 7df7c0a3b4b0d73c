"""The configuration of a character model: a TOML file, checked key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from valence.training.config import loader

Cell = Literal["rnn", "lstm", "gru"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CharacterData(_Section):
    """The text: documents of published corpora, source code, or plain text files of the user."""

    corpora: tuple[str, ...] = Field(default=(), description="names of published corpora")
    packages: tuple[Literal["django"], ...] = Field(
        default=(), description="names of published packages whose Python files are read"
    )
    files: tuple[str, ...] = Field(
        default=(),
        description="plain text files in UTF-8; the last two tenths of each file are held out",
    )
    characters: int | None = Field(
        default=None,
        ge=1,
        description="the most characters of each of corpora and packages; documents that do not "
        "fit are left out",
    )
    width: int | None = Field(
        default=None,
        ge=20,
        description="the longest line of a document of corpora; longer lines are broken at spaces",
    )
    minimum_count: int = Field(
        default=5, ge=1, description="characters with fewer occurrences share one id"
    )

    @model_validator(mode="after")
    def _require_text(self) -> CharacterData:
        if not (self.corpora or self.packages or self.files):
            raise ValueError("give data.corpora, data.packages or data.files")
        return self


class CharacterNetwork(_Section):
    """The recurrent layers."""

    cell: Cell = "lstm"
    hidden_size: int = Field(default=256, ge=1)
    layers: int = Field(default=3, ge=1, le=3)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="dropout between the layers")


class CharacterOptimization(_Section):
    """Truncated back-propagation through time (Williams, Peng 1990)."""

    optimizer: Literal["adagrad", "adamw"] = "adagrad"
    learning_rate: float = Field(
        default=0.01, gt=0.0, description="the initial rate; it falls linearly to a tenth"
    )
    clip_norm: float = Field(default=5.0, gt=0.0)
    chunk: int = Field(default=25, ge=1, description="characters that gradients go back through")
    streams: int = Field(
        default=32, ge=1, description="parts of the text that are read in parallel"
    )
    epochs: int = Field(default=3, ge=1)
    seed: int = Field(default=0, ge=0)


class Expected(_Section):
    """The expected result; a run with a worse result prints a warning."""

    bits: float = Field(gt=0.0, description="bits per character on the test text")


class CharacterConfiguration(_Section):
    """A configuration file of a character model."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    data: CharacterData
    network: CharacterNetwork = CharacterNetwork()
    optimization: CharacterOptimization = CharacterOptimization()
    expected: Expected | None = None


def read_configuration(path: Path) -> CharacterConfiguration:
    """Read a TOML file. Raises :class:`ConfigurationError` that names the key and the remedy."""
    return loader.load_model(path, CharacterConfiguration)
