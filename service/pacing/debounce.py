"""Work put off, so that many occasions for it are paid once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Later:
    """Calls ``work`` once, at most ``seconds`` after it was first asked to.

    Belongs to one event loop's thread; asked to where none runs, it calls at once.
    """

    def __init__(self, work: Callable[[], None], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
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
