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
# how long the requests at long work may work in one turn, all together
_MAX_WORK_SECONDS = 0.02
# a usual piece of long work between two turns
_PIECE_SECONDS = 0.00025


class _Rota:
    """The requests that are at long work: in each turn of the event loop a few of them work.

    In a quiet loop it is one, or else a small request would wait for all of them in each of its own
    few turns. In a flood a turn is spent on reading and refusing requests. Then as many work as
    take that time again: with one of them, the engine would wait for its next texts.
    """

    __slots__ = ("_began", "_loop", "_pieces", "_scheduled", "_waiting", "_worked")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        # this turn of the event loop: its begin, and the pieces of long work in it
        self._began = 0.0
        self._pieces = 0
        self._worked = 0.0

    def join(self, worked: float) -> asyncio.Future[None]:
        """A future that ends when it is the turn of the caller, who has ``worked`` for seconds."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # the loop of an earlier test, which has ended
            self._loop = loop
            self._scheduled = False
            self._waiting.clear()
        turn = loop.create_future()
        self._waiting.append(turn)
        self._pieces += 1
        self._worked += worked
        if not self._scheduled:
            self._scheduled = True
            self._begin_turn(time.perf_counter())
            loop.call_soon(self._next)
        return turn

    def _next(self) -> None:
        now = time.perf_counter()
        left = self._count_turns(now - self._began)
        while self._waiting and left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                left -= 1
        self._begin_turn(now)
        self._scheduled = bool(self._waiting)
        if self._scheduled and self._loop is not None:
            self._loop.call_soon(self._next)

    def _count_turns(self, seconds: float) -> int:
        """How many requests work in the next turn, after one of ``seconds``."""
        others = min(seconds - self._worked, _MAX_WORK_SECONDS)
        piece = max(self._worked / max(self._pieces, 1), _PIECE_SECONDS)
        return max(int(others / piece), 1)

    def _begin_turn(self, now: float) -> None:
        self._began, self._pieces, self._worked = now, 0, 0.0


_ROTA = _Rota()


class Turns:
    """Gives other requests their turns of the event loop while one request works.

    However many requests are at long work, one of them works in a turn of a quiet loop.
    ``deadline`` is the end of the work in seconds of ``time.perf_counter``. A client that hangs up
    ends the work too: its request is cancelled, and each turn is a place where it can be.
    """

    __slots__ = ("_since", "deadline")

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._since = time.perf_counter()

    async def give(self) -> None:
        """Let the other requests run; raises :class:`DeadlineExceeded` after the deadline."""
        await _ROTA.join(time.perf_counter() - self._since)
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
