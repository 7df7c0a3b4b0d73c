"""Heartbeats: each worker tells the first process that its event loop turns.

They come through a pipe, beside the connections of clients, however many these are. A pipe needs no
room on a disk, and the kernel keeps its bytes while the first process is busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import struct
import threading
import time
from collections.abc import Callable

# not of VALENCE_, which are the settings of the operator
_VARIABLE = "_VALENCE_HEARTBEAT"
# the number of the process
_BEAT = struct.Struct("=i")
_READ_BYTES = 4096 * _BEAT.size
# how often hearts beat and are looked at, in the time after which a worker counts as hung
_BEATS = 10
_MAX_INTERVAL_SECONDS = 0.5


def open_pipe() -> int:
    """Make the pipe of this server, whose workers inherit one end, and return the other end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    # a worker does not wait for a first process that is stopped
    os.set_blocking(writing, False)
    os.set_inheritable(writing, True)
    os.environ[_VARIABLE] = str(writing)
    return reading


def send_heartbeats(*, hung_seconds: float, is_alive: Callable[[], bool] = lambda: True) -> None:
    """Have the running event loop send heartbeats, if a first process waits for them.

    None is sent while ``is_alive`` says no: the first process then kills and replaces this worker.
    """
    descriptor = _inherited_descriptor()
    if descriptor is None:
        return
    loop, interval = asyncio.get_running_loop(), _interval(hung_seconds)
    beat = _BEAT.pack(os.getpid())

    def send() -> None:
        if is_alive():
            with contextlib.suppress(OSError):
                os.write(descriptor, beat)
        loop.call_later(interval, send)

    send()


def _inherited_descriptor() -> int | None:
    name = os.environ.pop(_VARIABLE, "")
    with contextlib.suppress(ValueError, OSError):
        descriptor = int(name)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_inheritable(descriptor, False)
            return descriptor
    return None


def _interval(hung_seconds: float) -> float:
    return min(hung_seconds / _BEATS, _MAX_INTERVAL_SECONDS)


class HeartbeatWatch:
    """Calls ``report_hung`` with the process of each worker whose heart has stopped to beat.

    A worker is watched from its first heartbeat on, for one still loads its libraries before. Only
    time that the first process itself was awake for counts, so a machine that slept, or a whole
    group of processes that was stopped, loses no worker.

    ``look`` is called as often as hearts are looked at.
    """

    def __init__(
        self,
        reading: int,
        *,
        hung_seconds: float,
        report_hung: Callable[[int], object],
        look: Callable[[], object],
    ) -> None:
        self._reading = reading
        self._hung_seconds = hung_seconds
        self._interval = _interval(hung_seconds)
        self._report_hung = report_hung
        self._look = look
        # seconds since the last heartbeat, by the number of the process
        self._silences: dict[int, float] = {}

    def start(self) -> None:
        """Watch in a thread, because the main thread may wait for whoever reads its output."""
        threading.Thread(target=self._run, name="heartbeats", daemon=True).start()

    def _run(self) -> None:
        looked = time.monotonic()
        while True:
            time.sleep(self._interval)
            now = time.monotonic()
            self.look(now - looked)
            looked = now

    def look(self, seconds: float) -> None:
        """Look at all hearts, ``seconds`` after the last time."""
        beating = self._read()
        for process in self._silences:
            self._silences[process] += min(seconds, 2 * self._interval)
        self._silences.update(dict.fromkeys(beating, 0.0))
        for process, silence in list(self._silences.items()):
            if silence >= self._hung_seconds:
                del self._silences[process]
                self._report_hung(process)
        self._look()

    def _read(self) -> set[int]:
        beating: set[int] = set()
        with contextlib.suppress(BlockingIOError):
            while content := os.read(self._reading, _READ_BYTES):
                beating.update(process for (process,) in _BEAT.iter_unpack(content))
        return beating
