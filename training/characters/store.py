"""A character model on disk: one safetensors file, replaced whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from pydantic import ValidationError
from torch import Tensor

from service.errors import ConfigurationError
from training.characters.alphabet import Alphabet
from training.characters.configuration import CharacterConfiguration
from training.characters.model import CharacterModel

_STATE = "state"


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
    target.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}/{name}": value.detach().contiguous().clone()
        for part in ("model", "best", "optimizer")
        for name, value in getattr(saved, part).items()
    }
    state = {
        "configuration": saved.configuration.model_dump(mode="json"),
        "alphabet": saved.alphabet.characters,
        "data_sha256": saved.data_sha256,
        "history": [asdict(epoch) for epoch in saved.history],
        "test_bits": saved.test_bits,
    }
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        safetensors.torch.save_file(tensors, unfinished, metadata={_STATE: json.dumps(state)})
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load(source: Path) -> Saved:
    """Raises :class:`ConfigurationError` for a file that is missing, or no character model."""
    try:
        with safetensors.safe_open(source, framework="pt") as file:
            state = json.loads(file.metadata()[_STATE])
            parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
            for key in file.keys():  # noqa: SIM118 - the file is no mapping
                part, _, name = key.partition("/")
                parts[part][name] = file.get_tensor(key)
        return Saved(
            configuration=CharacterConfiguration.model_validate(state["configuration"]),
            alphabet=Alphabet(state["alphabet"]),
            data_sha256=state["data_sha256"],
            history=tuple(Epoch(**epoch) for epoch in state["history"]),
            test_bits=state["test_bits"],
            **parts,
        )
    except FileNotFoundError:
        raise ConfigurationError(
            f"{source}: no such model; train one with `python -m training lm`"
        ) from None
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        kind = "its configuration" if isinstance(error, ValidationError) else type(error).__name__
        raise ConfigurationError(
            f"{source}: not a character model that can be read ({kind}); train it anew"
        ) from None
