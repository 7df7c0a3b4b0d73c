"""Lines written to a file descriptor by a thread of their own, so that no request waits for them.

A pipe that nobody reads blocks its writer, and a full disk refuses each write. Neither may stop the
service, so lines are dropped and counted instead.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator

_MAX_BYTES = 1024 * 1024
# POSIX: a pipe takes at least so many bytes whole, so lines of several workers never mix
_PIECE_BYTES = 4096


class LineWriter:
    """Writes whole lines to ``descriptor``; None drops them all.

    At most ``max_bytes`` wait to be written. ``count_dropped`` is called with the number of lines
    that did not fit or could not be written, in any thread.
    """

    def __init__(
        self,
        descriptor: int | None,
        count_dropped: Callable[[int], None],
        *,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._descriptor = -1 if descriptor is None else descriptor
        self._count_dropped = count_dropped
        self._max_bytes = max_bytes
        # reentrant, because a handler of a signal may write too
        self._condition = threading.Condition()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._thread: threading.Thread | None = None
        self._torn = False

    def write(self, text: str) -> None:
        """Have whole lines written soon, or drop them; never waits and never raises."""
        content = text.encode(errors="backslashreplace")
        if not content:
            return
        with self._condition:
            fits = self._waiting_bytes + len(content) <= self._max_bytes
            if fits and self._descriptor >= 0:
                self._waiting.append(content)
                self._waiting_bytes += len(content)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                    self._thread.start()
                self._condition.notify_all()
                return
        self._count_dropped(content.count(b"\n"))

    def flush(self) -> None:
        """Do nothing: lines are written soon anyway."""

    def drain(self, seconds: float) -> bool:
        """Wait at most ``seconds`` until each line is written or dropped; return whether it is."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._waiting_bytes, seconds)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting)
                content = b"".join(self._waiting)
                self._waiting.clear()
            for piece in _pieces(content):
                self._write_piece(piece)
            with self._condition:
                self._waiting_bytes -= len(content)
                self._condition.notify_all()

    def _write_piece(self, piece: bytes) -> None:
        # the rest of a line that the disk had no room for would spoil the next line
        content = b"\n" + piece if self._torn else piece
        written = 0
        try:
            while written < len(content):
                written += self._write_some(content[written:])
            self._torn = False
        except OSError:
            if written:
                self._torn = content[written - 1 : written] != b"\n"
            begun = max(written, len(content) - len(piece))
            self._count_dropped(content.count(b"\n", begun))

    def _write_some(self, content: bytes) -> int:
        while True:
            try:
                return os.write(self._descriptor, content)
            except BlockingIOError:
                # another program with this pipe has made it non-blocking
                select.select((), (self._descriptor,), ())


def _pieces(content: bytes) -> Iterator[bytes]:
    """Whole lines of ``content`` together, as many as a pipe takes at once; a longer line alone."""
    start = 0
    while start < len(content):
        end = content.rfind(b"\n", start, start + _PIECE_BYTES) + 1
        if not end:
            end = content.find(b"\n", start) + 1 or len(content)
        yield content[start:end]
        start = end
