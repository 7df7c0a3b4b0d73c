"""A lock that lets one process at a time write a file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from valence.service.errors import ConfigurationError


@contextmanager
def hold_lock(path: Path, *, work: str, remedy: str = "", wait: bool = False) -> Iterator[None]:
    """Keep other processes from the file ``path`` for a ``with`` block, by a lock file beside it.

    ``work`` and ``remedy`` complete the error's sentence: "another process is WORK; wait for it, or
    REMEDY". The kernel releases the lock when the process ends, however it ends; the block's end
    also removes the lock file.

    Raises :class:`ConfigurationError` if another process holds the lock, or with ``wait`` waits for
    that process.
    """
    lock = path.with_name(f"{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                alternative = f", or {remedy}" if remedy else ""
                raise ConfigurationError(
                    f"another process is {work} ({lock}); wait for it{alternative}"
                ) from None
            # The holder before may have removed the file between this process's open and its
            # flock. Then the lock belongs to a file without a name and does not protect a new file.
            if not _is_named(file, lock):
                continue
            try:
                yield
            finally:
                lock.unlink()
            return


def _is_named(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
