"""A token bucket that several processes of one machine share."""

from __future__ import annotations

import fcntl
import os
import struct
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from valence.service.pacing.token_bucket import TokenBucket

# balance, and when it was that
_STATE = struct.Struct("=dd")


class SharedTokenBucket(TokenBucket):
    """A :class:`TokenBucket` whose balance is in the file ``path``.

    A lock of the file, which the kernel frees when its holder ends, keeps processes apart: a look
    takes some microseconds. The ``clock`` must be that of all of them, as :func:`time.monotonic` is
    on Linux and macOS.
    """

    __slots__ = ("__weakref__", "_descriptor")

    def __init__(
        self,
        rate: float,
        *,
        capacity: float,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(rate, capacity=capacity, clock=clock)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self._descriptor)

    def take(self, count: int) -> None:
        """Take ``count`` tokens; the balance may become negative."""
        with self._shared():
            super().take(count)

    def balance(self) -> float:
        """The number of tokens now; a negative number is a debt."""
        with self._shared():
            return super().balance()

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """What the file says, and afterwards in the file."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            state = os.pread(self._descriptor, _STATE.size, 0)
            if len(state) == _STATE.size:
                self._balance, self._updated = _STATE.unpack(state)
            yield
            os.pwrite(self._descriptor, _STATE.pack(self._balance, self._updated), 0)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
