"""A character model on disk: one safetensors file, replaced whole or not at all."""

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
    """What an epoch came to; losses are bits a character."""

    epoch: int  # from 1
    train_bits: float
    dev_bits: float
    seconds: float
    characters_per_second: float


@dataclass(frozen=True, slots=True)
class Saved:
    """A model at the end of an epoch, and all that going on from there takes."""

    configuration: CharacterConfiguration
    alphabet: Alphabet
    data_sha256: str
    history: tuple[Epoch, ...]
    test_bits: float | None
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]

    def network(self) -> CharacterModel:
        """The network with the weights of its best epoch."""
        model = network(self.configuration, self.alphabet)
        model.load_state_dict(self.best)
        return model.eval()


def network(configuration: CharacterConfiguration, alphabet: Alphabet) -> CharacterModel:
    """The network of ``configuration``, its weights as torch makes them."""
    shape = configuration.network
    return CharacterModel(
        characters=len(alphabet),
        cell=shape.cell,
        hidden_size=shape.hidden_size,
        layers=shape.layers,
        dropout=shape.dropout,
    )


def path(folder: Path, name: str) -> Path:
    """Where the model ``name`` lies."""
    return folder / f"{name}.safetensors"


def save(saved: Saved, target: Path) -> None:
    """Replace ``target``; an interruption leaves the one that was there."""
    parts = {part: getattr(saved, part) for part in _PARTS}
    rest = {
        "configuration": saved.configuration.model_dump(mode="json"),
        "alphabet": saved.alphabet.characters,
        "data_sha256": saved.data_sha256,
        "history": [asdict(epoch) for epoch in saved.history],
        "test_bits": saved.test_bits,
    }
    tensor_file.write_tensors(target, parts, rest)


def load(source: Path) -> Saved:
    """Raises :class:`ConfigurationError` for a file that is missing, or no character model."""
    try:
        parts, rest = tensor_file.read_tensors(source, _PARTS)
        return Saved(
            configuration=CharacterConfiguration.model_validate(rest["configuration"]),
            alphabet=Alphabet(rest["alphabet"]),
            data_sha256=rest["data_sha256"],
            history=tuple(Epoch(**epoch) for epoch in rest["history"]),
            test_bits=rest["test_bits"],
            **parts,
        )
    except FileNotFoundError:
        raise ConfigurationError(
            f"{source}: no such model; train one with `python -m training lm`"
        ) from None
    except tensor_file.UNREADABLE as error:
        kind = "its configuration" if isinstance(error, ValidationError) else type(error).__name__
        raise ConfigurationError(
            f"{source}: not a character model that can be read ({kind}); train it anew"
        ) from None
