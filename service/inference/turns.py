"""Long work of a request in turns of the event loop, until the deadline of the request."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Generator
from typing import TypeVar

from valence.service.errors import DeadlineExceeded

Result = TypeVar("Result")

# Other requests get a turn after so many steps, or sooner if these took longer than the seconds.
_TURN_STEPS = 256
_TURN_SECONDS = 0.001
# the clock is looked at after so many steps
_LOOK_STEPS = 16


class _Rota:
    """The requests that are at long work: in each turn of the event loop one of them works.

    Otherwise a small request would wait for all of them in each of its own few turns.
    """

    __slots__ = ("_loop", "_scheduled", "_waiting")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def join(self) -> asyncio.Future[None]:
        """A future that ends when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # the loop of an earlier test, which has ended
            self._loop = loop
            self._scheduled = False
            self._waiting.clear()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next)
        return turn

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        self._scheduled = bool(self._waiting)
        if self._scheduled and self._loop is not None:
            self._loop.call_soon(self._next)


_ROTA = _Rota()


class Turns:
    """Gives other requests their turns of the event loop while one request works.

    However many requests are at long work, one of them works in a turn.
    ``deadline`` is the end of the work in seconds of ``time.perf_counter``. A client that hangs up
    ends the work too: its request is cancelled, and each turn is a place where it can be.
    """

    __slots__ = ("_since", "deadline")

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._since = time.perf_counter()

    async def give(self) -> None:
        """Let the other requests run; raises :class:`DeadlineExceeded` after the deadline."""
        await _ROTA.join()
        self._since = time.perf_counter()
        if self._since > self.deadline:
            raise DeadlineExceeded(
                "the answer was not ready within the time allowed; send fewer or shorter texts per "
                "request or try again later"
            )

    async def run(self, steps: Generator[object, None, Result]) -> Result:
        """Take all ``steps``, which are short, and return their result."""
        for count in itertools.count(1):
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                break
            if not count % _LOOK_STEPS and (
                not count % _TURN_STEPS or time.perf_counter() - self._since > _TURN_SECONDS
            ):
                await self.give()
        return result
