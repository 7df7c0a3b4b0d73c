"""Where training stands, on disk: written whole or not at all, and never as a pickle."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor
from valence.training.runtime import tensor_file
from valence.training.runtime.lock import hold_lock

_PARTS = ("model", "average", "chosen", "optimizer")


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

    Random numbers are no part of it: every step draws its own from the seed and its number.
    """

    history: tuple[Epoch, ...]
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    chosen: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    position: tuple[int, int] = (0, 0)  # where texts are streamed

    def save(self, path: Path) -> None:
        """Replace ``path`` by this checkpoint; an interruption leaves the one that was there."""
        parts = {name: getattr(self, name) for name in _PARTS}
        epochs = [asdict(epoch) for epoch in self.history]
        tensor_file.write_tensors(path, parts, {"history": epochs, "position": self.position})


def hold_run(path: Path) -> AbstractContextManager[None]:
    """Keep other processes from the run whose checkpoint is ``path``, for a ``with`` block.

    Raises :class:`ConfigurationError` if another process trains this run.
    """
    return hold_lock(path, work="at the same training", remedy="train with another --seed")


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``; None where there is none, or none that can be read."""
    try:
        parts, rest = tensor_file.read_tensors(path, _PARTS)
        history = tuple(Epoch(**epoch) for epoch in rest["history"])
        pool, batch = map(int, rest["position"])
    except tensor_file.UNREADABLE:
        return None
    return Checkpoint(history=history, position=(pool, batch), **parts)
