"""What a character model is made of: a TOML file, checked key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from valence.training.config import loader

Cell = Literal["rnn", "lstm", "gru"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Section):
    """Which text: documents of published corpora, or plain files of one's own."""

    corpora: tuple[str, ...] = Field(default=(), description="published corpora, by name")
    files: tuple[str, ...] = Field(
        default=(), description="plain text in UTF-8; the last two tenths of each are held out"
    )
    minimum_count: int = Field(default=5, ge=1, description="rarer characters are all one")

    @model_validator(mode="after")
    def _something_to_read(self) -> Data:
        if not (self.corpora or self.files):
            raise ValueError("name corpora, or files of your own")
        return self


class Network(_Section):
    """The recurrent layers."""

    cell: Cell = "lstm"
    hidden_size: int = Field(default=256, ge=1)
    layers: int = Field(default=3, ge=1, le=3)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="between layers")


class Optimization(_Section):
    """How the weights are found: truncated back-propagation through time (Williams, Peng 1990)."""

    optimizer: Literal["adagrad", "adamw"] = "adagrad"
    learning_rate: float = Field(default=0.01, gt=0.0, description="falls to a tenth of it")
    clip_norm: float = Field(default=5.0, gt=0.0)
    chunk: int = Field(default=25, ge=1, description="characters gradients go back through")
    streams: int = Field(default=32, ge=1, description="places in the text read side by side")
    epochs: int = Field(default=3, ge=1)
    seed: int = Field(default=0, ge=0)


class Expected(_Section):
    """What this configuration reaches; a run that falls short says so."""

    bits: float = Field(gt=0.0, description="a character, on the test text")


class CharacterConfiguration(_Section):
    """A whole configuration file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    data: Data
    network: Network = Network()
    optimization: Optimization = Optimization()
    expected: Expected | None = None


def load(path: Path) -> CharacterConfiguration:
    """Read a TOML file; raises :class:`ConfigurationError` naming the key and the remedy."""
    return loader.load_model(path, CharacterConfiguration)
