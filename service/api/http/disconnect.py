"""A client that disconnects: its request leaves the queue."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive

# The connection of a request is watched only when the request has waited this long. Watching costs
# a task, a tenth of the cost of a small answer, which in a flood every request would pay.
_WATCH_AFTER_SECONDS = 0.5


class ClientGone(Exception):
    """The client disconnected before its request was read or answered."""


class CancelOnDisconnect:
    """A context that ends with :class:`ClientGone` when the client disconnects."""

    __slots__ = ("_gone", "_receive", "_task", "_timer", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_WATCH_AFTER_SECONDS, self._start_watcher)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        task, watcher = self._task, self._watcher
        # The tasks refer to this object. Without this, the circle of references would live until
        # the garbage collector runs.
        self._task = self._watcher = None
        if watcher is not None:
            watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            if task is not None:
                task.uncancel()
            raise ClientGone from None

    def _start_watcher(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._task is not None:
            self._task.cancel()
