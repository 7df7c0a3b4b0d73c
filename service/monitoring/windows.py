"""Counts of classes in windows of a fixed number of texts, shared by the workers of a server.

The counts are one block of numbers: the window that fills, all texts, and the last windows as a
ring. A single worker has the block in memory. Several workers map the same file, and a lock of the
file, which the kernel frees when its holder ends, keeps them apart for some microseconds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from valence.service.monitoring.limits import Counts
from valence.service.monitoring.signals import Board, Rows

KEPT_WINDOWS = 200
# of the block, before the counts: the texts of the window that fills, and the windows so far
_HEAD = 2


class Window(NamedTuple):
    """A full window: when it was full, in seconds since 1970, and its texts by class."""

    ended: int
    counts: Counts


class History(NamedTuple):
    """All that was counted."""

    windows: int
    """How many windows were full."""
    last: tuple[Window, ...]
    """The newest :data:`KEPT_WINDOWS` of them, the oldest first."""
    filling: Counts
    """The texts of the window that fills, by class."""
    filled: int
    """How many texts that window has."""
    total: Counts
    """All texts in full windows, by class."""


class Windows:
    """The windows of one board; ``path`` is the file that workers share, None for one worker."""

    def __init__(self, board: Board, path: Path | None = None) -> None:
        self.board = board
        numbers = _HEAD + 2 * board.classes + KEPT_WINDOWS * (1 + board.classes)
        self._descriptor: int | None = None
        if path is None:
            block = np.zeros(numbers, dtype=np.int64)
        else:
            self._descriptor, block = _map_file(path, numbers)
            weakref.finalize(self, os.close, self._descriptor)
        self._head = block[:_HEAD]
        self._filling, self._total = block[_HEAD : _HEAD + 2 * board.classes].reshape(2, -1)
        self._ring = block[_HEAD + 2 * board.classes :].reshape(KEPT_WINDOWS, -1)

    def add(self, rows: Rows) -> list[Window]:
        """Count ``rows``; returns the windows that became full."""
        full = []
        with self._locked():
            while len(rows):
                part, rows = np.split(rows, [max(self.board.window - int(self._head[0]), 0)])
                self._filling += self.board.count(part)
                self._head[0] += len(part)
                if self._head[0] >= self.board.window:
                    full.append(self._close_window())
        return full

    def read(self) -> History:
        """What was counted so far, by all workers."""
        with self._locked():
            windows = int(self._head[1])
            order = [
                number % KEPT_WINDOWS for number in range(max(windows - KEPT_WINDOWS, 0), windows)
            ]
            ring = self._ring[order]
            return History(
                windows,
                tuple(Window(int(row[0]), row[1:]) for row in ring),
                self._filling.copy(),
                int(self._head[0]),
                self._total.copy(),
            )

    def _close_window(self) -> Window:
        window = Window(int(time.time()), self._filling.copy())
        place = self._ring[int(self._head[1]) % KEPT_WINDOWS]
        place[0], place[1:] = window
        self._total += self._filling
        self._filling[:] = 0
        self._head[0], self._head[1] = 0, self._head[1] + 1
        return window

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._descriptor is None:
            yield
            return
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _map_file(path: Path, numbers: int) -> tuple[int, Counts]:
    """The block in the file ``path``, which is made of zeros if it is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # the disk gives the room now: a page that it cannot give later would end the process
        missing = 8 * numbers - os.fstat(descriptor).st_size
        if missing > 0:
            os.pwrite(descriptor, bytes(missing), 8 * numbers - missing)
        block = np.frombuffer(mmap.mmap(descriptor, 8 * numbers), dtype=np.int64)
    except OSError:
        os.close(descriptor)
        raise
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return descriptor, block
