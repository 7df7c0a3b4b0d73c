"""Where training stands, on disk: written whole or not at all, and never as a pickle."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from service.errors import ConfigurationError
from training import state

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
        state.write(path, parts, {"history": epochs, "position": self.position})


@contextmanager
def alone(
    path: Path, *, what: str = "training", remedy: str = "train with another --seed"
) -> Iterator[None]:
    """Keep other processes from what writes ``path``, a run's checkpoint if not said.

    Raises :class:`ConfigurationError` if one is at it. A process that dies lets go.
    """
    lock = path.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another process is at the same {what} ({lock}); wait for it, or {remedy}"
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``; None where there is none, or none that can be read."""
    try:
        parts, rest = state.read(path, _PARTS)
        history = tuple(Epoch(**epoch) for epoch in rest["history"])
        pool, batch = map(int, rest["position"])
    except state.UNREADABLE:
        return None
    return Checkpoint(history=history, position=(pool, batch), **parts)
