"""The checkpoint of a character model: one safetensors file, replaced atomically."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError
from torch import Tensor
from valence.service.errors import ConfigurationError
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.config import CharacterConfiguration
from valence.training.char_lm.model import CharacterModel
from valence.training.runtime import tensor_file

_PARTS = ("model", "best", "optimizer")


@dataclass(frozen=True, slots=True)
class Epoch:
    """The result of an epoch; losses are in bits per character."""

    epoch: int  # from 1
    train_bits: float
    dev_bits: float
    seconds: float
    characters_per_second: float


@dataclass(frozen=True, slots=True)
class CharacterCheckpoint:
    """A model at the end of an epoch, with everything that is needed to continue training."""

    configuration: CharacterConfiguration
    alphabet: Alphabet
    data_sha256: str
    history: tuple[Epoch, ...]
    test_bits: float | None
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]

    def build_network(self) -> CharacterModel:
        """The network with the weights of its best epoch."""
        model = build_network(self.configuration, self.alphabet)
        model.load_state_dict(self.best)
        return model.eval()


def build_network(configuration: CharacterConfiguration, alphabet: Alphabet) -> CharacterModel:
    """The network of ``configuration``, with torch's default initial weights."""
    shape = configuration.network
    return CharacterModel(
        characters=len(alphabet),
        cell=shape.cell,
        hidden_size=shape.hidden_size,
        layers=shape.layers,
        dropout=shape.dropout,
    )


def checkpoint_path(folder: Path, name: str) -> Path:
    """The file of the model ``name`` in ``folder``."""
    return folder / f"{name}.safetensors"


def save_checkpoint(checkpoint: CharacterCheckpoint, target: Path) -> None:
    """Replace ``target``. An interruption keeps the previous file."""
    parts = {part: getattr(checkpoint, part) for part in _PARTS}
    rest = {
        "configuration": checkpoint.configuration.model_dump(mode="json"),
        "alphabet": checkpoint.alphabet.characters,
        "data_sha256": checkpoint.data_sha256,
        "history": [asdict(epoch) for epoch in checkpoint.history],
        "test_bits": checkpoint.test_bits,
    }
    tensor_file.write_tensors(target, parts, rest)


def load_checkpoint(source: Path) -> CharacterCheckpoint:
    """Read ``source``. Raises :class:`ConfigurationError` if it is missing or damaged."""
    try:
        parts, rest = tensor_file.read_tensors(source, _PARTS)
        return CharacterCheckpoint(
            configuration=CharacterConfiguration.model_validate(rest["configuration"]),
            alphabet=Alphabet(rest["alphabet"]),
            data_sha256=rest["data_sha256"],
            history=tuple(Epoch(**epoch) for epoch in rest["history"]),
            test_bits=rest["test_bits"],
            **parts,
        )
    except FileNotFoundError:
        raise ConfigurationError(
            f"{source}: there is no such model; train one with `valence lm`"
        ) from None
    except tensor_file.UNREADABLE as error:
        kind = "its configuration" if isinstance(error, ValidationError) else type(error).__name__
        raise ConfigurationError(
            f"{source}: not a readable character model ({kind}); train the model again"
        ) from None
