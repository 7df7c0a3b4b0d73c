"""An event loop that takes the connections that wait together, and refuses in good time.

libuv, and uvloop with it, accepts one connection a turn of its loop. Under load a turn lasts
milliseconds, and a thousand clients who connect at once would wait for a thousand turns: those that
are served already would go on to be, and the others not be told that they are too many.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import uvloop

# each takes some thirty microseconds
_MOST_A_TURN = 512
# who finds the queue before the door full is told nothing, and tries again ever more rarely
_BACKLOG = 65_535
# who is neither let in nor refused now is looked at again so soon
_PAUSE_SECONDS = 0.02


class Door(Protocol):
    """Who may come in."""

    def room(self) -> int:
        """How many connections may be accepted now."""

    def expect(self) -> None:
        """One has been accepted, and takes room though it is none of the loop's yet."""

    def miss(self) -> None:
        """One that was expected is gone again."""

    def room_to_refuse(self) -> int:
        """How many may be refused now."""

    def refuse(self, connection: socket.socket) -> None:
        """Tell one why, and close it in time."""


class Loop(uvloop.Loop):
    """uvloop's, but for how a server accepts: all who wait, as far as ``door`` has room."""

    door: Door | None = None

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *args: Any,
        sock: socket.socket | None = None,
        **options: Any,
    ) -> Any:
        """As the loop's own; where ``sock`` is given, all that wait are accepted at once."""
        if sock is None:
            return await super().create_server(protocol_factory, *args, **options)
        # asked for more than the system allows, it gives what it allows
        sock.listen(max(options.get("backlog", 0), _BACKLOG))
        return Listener(self, sock, protocol_factory, ssl=options.get("ssl"))


class Listener:
    """A server on one listening socket, as far as a server is asked for anything here."""

    def __init__(
        self,
        loop: Loop,
        listening: socket.socket,
        protocol_factory: Callable[[], asyncio.Protocol],
        *,
        ssl: Any = None,
    ) -> None:
        listening.setblocking(False)
        self._loop = loop
        self._listening = listening
        self._protocol_factory = protocol_factory
        self._ssl = ssl
        self._connecting: set[asyncio.Task[Any]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._serving = True
        loop.add_reader(listening, self._accept_all)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The listening socket, while it is one."""
        return (self._listening,) if self._serving else ()

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._serving

    def close(self) -> None:
        """Accept no more; what was accepted stays, and the socket is its owner's."""
        if not self._serving:
            return
        self._serving = False
        if self._again is None:
            self._loop.remove_reader(self._listening)
        else:
            self._again.cancel()

    async def wait_closed(self) -> None:
        """Return when whoever was accepted before the end is a connection, or gone."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _accept_all(self) -> None:
        door = self._loop.door
        room = _MOST_A_TURN if door is None else min(door.room(), _MOST_A_TURN)
        for _ in range(room):
            if (connection := self._accept()) is None:
                return
            self._take(connection)
        if door is None or room == _MOST_A_TURN:
            return
        for _ in range(min(door.room_to_refuse(), _MOST_A_TURN - room)):
            if (connection := self._accept()) is None:
                return
            if self._ssl is None:
                door.refuse(connection)
            else:
                # nothing can be said before the handshake: its protocol refuses it
                self._take(connection)
        self._pause()

    def _pause(self) -> None:
        """Accept nobody for a moment: who waits on would wake the loop in every turn."""
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(_PAUSE_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self._loop.add_reader(self._listening, self._accept_all)

    def _accept(self) -> socket.socket | None:
        try:
            return self._listening.accept()[0]
        except BlockingIOError:
            return None
        except OSError:
            # there are no descriptors left, or the client has gone again
            self._pause()
            return None

    def _take(self, connection: socket.socket) -> None:
        if self._loop.door is not None:
            self._loop.door.expect()
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol_factory, connection, ssl=self._ssl
            )
        except OSError:
            # gone again
            connection.close()
            if self._loop.door is not None:
                self._loop.door.miss()


def loop_factory(use_subprocess: bool = False) -> Callable[[], asyncio.AbstractEventLoop]:  # noqa: ARG001
    """What uvicorn asks for a loop."""
    return Loop
