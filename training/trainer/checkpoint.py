"""The state of a training on disk: written completely or not at all, and not as a pickle."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor
from valence.service.files.lock import hold_lock
from valence.training.runtime import tensor_file

_PARTS = ("model", "average", "chosen", "optimizer")


@dataclass(frozen=True, slots=True)
class Epoch:
    """The results of an epoch."""

    epoch: int  # from 1
    train_loss: float  # nats per text
    dev_loss: float
    dev_macro_f1: float
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that the rest of a training depends on; tensors by name.

    Random numbers are not part of it: each step draws its own from the seed and its number.
    """

    history: tuple[Epoch, ...]
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    chosen: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    position: tuple[int, int] = (0, 0)  # of streamed texts

    def save(self, path: Path) -> None:
        """Replace ``path`` by this checkpoint; an interruption leaves the old file."""
        parts = {name: getattr(self, name) for name in _PARTS}
        epochs = [asdict(epoch) for epoch in self.history]
        tensor_file.write_tensors(path, parts, {"history": epochs, "position": self.position})


def hold_run(path: Path) -> AbstractContextManager[None]:
    """Keep other processes from the run with the checkpoint ``path``, for a ``with`` block.

    Raises :class:`ConfigurationError` if another process trains this run.
    """
    return hold_lock(path, work="at the same training", remedy="train with another --seed")


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``; None if it is missing or unreadable."""
    try:
        parts, values = tensor_file.read_tensors(path, _PARTS)
        history = tuple(Epoch(**epoch) for epoch in values["history"])
        pool, batch = map(int, values["position"])
    except tensor_file.UNREADABLE:
        return None
    return Checkpoint(history=history, position=(pool, batch), **parts)
