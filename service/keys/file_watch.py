"""The changes of a file, seen from its state without reading it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from valence.service.files.state import State, describe_state

# The file is looked at so often at most, and a change is taken so late at most.
CHECK_SECONDS = 1.0
# A file that changed so shortly ago may be half written, or change again within one tick of the
# clock of its file system.
SETTLE_SECONDS = 0.1


class FileWatch:
    """Tells when ``path`` has changed since it was last read.

    Whoever has read the file asks :meth:`confirm_state` before using what was read. A path that is
    missing has a state too. ``clock`` and ``wall_clock`` give seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._clock = clock
        self._wall_clock = wall_clock
        self._read_state: State | None = None
        self._next_check = clock()
        self._held_since: float | None = None

    def take_change(self) -> bool:
        """Whether the caller must read the file now; if it cannot, it calls :meth:`forget`.

        A file is given the time to be written: while it changes, the answer stays False for at most
        :data:`CHECK_SECONDS`.
        """
        now = self._clock()
        if now < self._next_check:
            return False
        state, age = self._look()
        settled = not 0 <= age < SETTLE_SECONDS
        if state is not None and state == self._read_state:
            self._next_check, self._held_since = now + CHECK_SECONDS, None
            return False
        if not settled and self._read_state is not None:
            if self._held_since is None:
                self._held_since = now
            if now - self._held_since < CHECK_SECONDS:
                self._next_check = now + SETTLE_SECONDS
                return False
        self._next_check, self._held_since = now + CHECK_SECONDS, None
        # what is read while the file changes is read again
        self._read_state = state if settled else _CHANGING
        return True

    def confirm_state(self) -> bool:
        """Whether the file, now read, is as :meth:`take_change` has seen it.

        A writer that began in between may have let the reader see half of the file. The next check
        then asks for it again, soon. A file that never stays as it is is confirmed.
        """
        state, _ = self._look()
        if self._read_state in (state, _CHANGING):
            return True
        self._read_state = _CHANGING
        self._next_check = self._clock() + SETTLE_SECONDS
        return False

    def forget(self) -> None:
        """Let the next check ask for the file again: it could not be read."""
        self._read_state = _CHANGING

    def _look(self) -> tuple[State | None, float]:
        """The state of the path, None if it cannot be seen, and its age in seconds."""
        try:
            status = self._path.stat()
            state = describe_state(status)
        except (FileNotFoundError, NotADirectoryError):
            try:
                # the folder changed when the file was removed
                status = self._path.parent.stat()
            except OSError:
                return (), float("inf")
            state = ()
        except OSError:
            return None, float("inf")
        return state, self._wall_clock() - status.st_ctime


# A state that no file has.
_CHANGING: State = (-1,)
