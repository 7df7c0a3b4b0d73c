"""An event loop that takes the connections that wait together.

libuv, and uvloop with it, accepts one connection a turn of its loop. Under load a turn lasts
milliseconds, and a thousand clients who connect at once would wait for a thousand turns: those that
are served already would go on to be, and the others not be told that they are too many.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol

import uvloop

# each takes some thirty microseconds
_MOST_A_TURN = 512
# who finds the queue before the door full is told nothing, and tries again ever more rarely
_BACKLOG = 65_535


class Door(Protocol):
    """Who may come in."""

    def room(self) -> int:
        """How many connections may be accepted now, beside libuv's one."""

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
        listening = sock
        encrypted = options.get("ssl") is not None
        connecting: set[asyncio.Task[Any]] = set()

        def accepted() -> asyncio.Protocol:
            self.call_soon(accept_others)
            return protocol_factory()

        def accept_others() -> None:
            door = self.door
            room = _MOST_A_TURN if door is None else min(door.room(), _MOST_A_TURN)
            for _ in range(room):
                if (connection := accept()) is None:
                    return
                task = self.create_task(connect(connection))
                connecting.add(task)
                task.add_done_callback(connecting.discard)
            # over TLS nothing can be said before the handshake
            if door is None or room == _MOST_A_TURN or encrypted:
                return
            for _ in range(min(door.room_to_refuse(), _MOST_A_TURN - room)):
                if (connection := accept()) is None:
                    return
                door.refuse(connection)

        def accept() -> socket.socket | None:
            if not server.is_serving():
                return None
            try:
                return listening.accept()[0]
            except OSError:
                # nobody else waits; where there are no descriptors left, libuv knows what to do
                return None

        async def connect(connection: socket.socket) -> None:
            try:
                await self.connect_accepted_socket(
                    protocol_factory, connection, ssl=options.get("ssl")
                )
            except OSError:
                # gone again
                connection.close()

        # asked for more than the system allows, it gives what it allows
        options["backlog"] = max(options.get("backlog", 0), _BACKLOG)
        server = await super().create_server(accepted, *args, sock=sock, **options)
        return server


def loop_factory(use_subprocess: bool = False) -> Callable[[], asyncio.AbstractEventLoop]:  # noqa: ARG001
    """What uvicorn asks for a loop."""
    return Loop
