"""Where training stands, on disk: written whole or not at all, and never as a pickle."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from service.errors import ConfigurationError

_STATE = "state"
_PARTS = ("model", "average", "best", "optimizer")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to."""

    epoch: int  # from 1
    train_loss: float  # nats a text
    dev_loss: float
    dev_macro_f1: float
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that the rest of the training depends on; tensors by name, as they were saved.

    Random numbers are no part of it: every epoch draws its own from the seed and its number.
    """

    history: tuple[Epoch, ...]
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    positions: tuple[tuple[int, int], ...] = ()  # in its stream, of each process

    def save(self, path: Path) -> None:
        """Replace ``path`` by this checkpoint; an interruption leaves the one that was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = {name: getattr(self, name) for name in _PARTS}
        tensors = {
            f"{part}/{name}": value.detach().contiguous().clone()
            for part, values in parts.items()
            for name, value in values.items()
        }
        state = json.dumps(
            {"history": [asdict(epoch) for epoch in self.history], "positions": self.positions}
        )
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            safetensors.torch.save_file(tensors, unfinished, metadata={_STATE: state})
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from the run whose checkpoint is at ``path``.

    Raises :class:`ConfigurationError` if one is at it. A process that dies lets go.
    """
    lock = path.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another process is at the same training ({lock}); wait for it, or train with "
                "another --seed"
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``; None where there is none, or none that can be read."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            state: dict[str, Any] = json.loads(file.metadata()[_STATE])
            parts: dict[str, dict[str, Tensor]] = {name: {} for name in _PARTS}
            for key in file.keys():  # noqa: SIM118 - the file is no mapping
                part, _, name = key.partition("/")
                parts[part][name] = file.get_tensor(key)
        history = tuple(Epoch(**epoch) for epoch in state["history"])
        positions = tuple((int(pool), int(batch)) for pool, batch in state["positions"])
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError):
        return None
    return Checkpoint(history=history, positions=positions, **parts)
