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

    __slots__ = ("_receive", "_task", "_timer", "_watcher", "gone")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.gone = False
        """Whether the client disconnected, so that the task in the context was cancelled."""
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin to watch for the current task."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_WATCH_AFTER_SECONDS, self._start_watcher)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self.gone and kind is asyncio.CancelledError:
            self.uncancel()
            raise ClientGone from None

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        watcher = self._watcher
        # The tasks refer to this object. Without this, the circle of references would live until
        # the garbage collector runs.
        self._task = self._watcher = None
        if watcher is not None:
            watcher.cancel()

    def uncancel(self) -> None:
        """Let the current task go on after its cancellation, which the watch has asked for."""
        if (task := asyncio.current_task()) is not None:
            task.uncancel()

    def _start_watcher(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._task is not None:
            self._task.cancel()
