"""A client that hangs up: its work leaves the queue."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive

# A client that waits this long has its connection watched, so that its work leaves the queue when
# it leaves; watching costs a task, a tenth of a small answer, which in a flood all would pay.
_PATIENCE_SECONDS = 0.5


class ClientGone(Exception):
    """The connection closed before the request was read or answered: nobody is there to tell."""


class UntilGone:
    """A context whose body ends with :class:`ClientGone` when the client hangs up."""

    __slots__ = ("_gone", "_receive", "_task", "_timer", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_PATIENCE_SECONDS, self._watch)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        task, watcher = self._task, self._watcher
        # they hold this in turn: in a circle they would stay until the collector comes
        self._task = self._watcher = None
        if watcher is not None:
            watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            if task is not None:
                task.uncancel()
            raise ClientGone from None

    def _watch(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._task is not None:
            self._task.cancel()
