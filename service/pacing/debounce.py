"""A debounced callback: several requests for the same work cause it once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Debounced:
    """Calls ``work`` once, at most ``seconds`` after it was first requested.

    An object belongs to the thread of one event loop. Where no event loop runs, it calls ``work``
    at once.
    """

    def __init__(self, work: Callable[[], None], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Have the work done soon."""
        if self._timer is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._work()
            else:
                self._timer = loop.call_later(self._seconds, self._run)

    def _run(self) -> None:
        self._timer = None
        self._work()
