"""The processes that work on one study, known by locks of the kernel on bytes of a file.

The kernel releases the locks of a process with the process, however it ends. So a trial that is
running belongs to a process that lives, or its byte is free.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from valence.service.errors import ConfigurationError

# the bytes: one that all processes share, one for the process whose turn it is, one for each trial
_MEMBERS, _TURN, _TRIALS = 0, 1, 2


class Processes:
    """The part of this process among those of a study; made by :func:`join_processes`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._claimed: set[int] = set()

    @contextmanager
    def take_turn(self) -> Iterator[None]:
        """Keep the other processes from taking their turn for the block."""
        self._lock(fcntl.LOCK_EX, _TURN)
        try:
            yield
        finally:
            self._lock(fcntl.LOCK_UN, _TURN)

    def claim(self, trial: int) -> None:
        """Show the other processes that this process works on the trial of this number."""
        self._lock(fcntl.LOCK_EX, _TRIALS + trial)
        self._claimed.add(trial)

    def release(self, trial: int) -> None:
        """End what :meth:`claim` began."""
        self._claimed.discard(trial)
        self._lock(fcntl.LOCK_UN, _TRIALS + trial)

    def has_worker(self, trial: int) -> bool:
        """Whether a process works on the trial of this number."""
        if trial in self._claimed:
            return True
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, _TRIALS + trial)
        except OSError:
            return True
        self._lock(fcntl.LOCK_UN, _TRIALS + trial)
        return False

    def _lock(self, operation: int, byte: int) -> None:
        fcntl.lockf(self._file, operation, 1, byte)

    @contextmanager
    def be_alone(self, study: str) -> Iterator[None]:
        """Keep other processes from the study for the block.

        Raises :class:`ConfigurationError` while one works on it.
        """
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, _MEMBERS)
        except OSError:
            raise ConfigurationError(
                f"another process is at the search {study!r}, which --fresh would forget; wait for "
                "it, or start another study with --study NAME"
            ) from None
        try:
            yield
        finally:
            self._lock(fcntl.LOCK_SH, _MEMBERS)


@contextmanager
def join_processes(study: Path) -> Iterator[Processes]:
    """Be one of the processes that work on the file ``study``, for the block."""
    with study.with_name(f"{study.name}.lock").open("a+b") as file:
        fcntl.lockf(file, fcntl.LOCK_SH, 1, _MEMBERS)
        # closing the file releases every lock of it
        yield Processes(file)
