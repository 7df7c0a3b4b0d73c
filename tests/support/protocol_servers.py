"""A uvicorn server with the protocol of the service, in the event loop of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from valence.service.server import bounded_connection, protocol
from valence.service.server.connection_limits import ConnectionLimiter, ConnectionLimits

Answer = Callable[[Any, Any, Any], Awaitable[None]]


def limits(**other: float) -> ConnectionLimits:
    """Return small count limits; timeouts are long except those given."""
    usual = {
        "header_bytes": 1000,
        "headers": 20,
        "header_seconds": 5,
        "body_idle_seconds": 5,
        "keep_alive_seconds": 5,
        "connections": 10,
        "lingering": 10,
    }
    return ConnectionLimits(**usual | other)  # type: ignore[arg-type]


@asynccontextmanager
async def started(
    answer: Answer,
    limited: ConnectionLimits,
    refused: Callable[[str], None] = lambda reason: None,
    *,
    early: bool = False,
    **options: Any,
) -> AsyncIterator[uvicorn.Server]:
    """Serve ``answer``, which is called once per request, until the block ends.

    It is called when the body is complete, or, if ``early``, when the headers are. ``options`` are
    passed to :class:`ConnectionLimiter`.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"][bounded_connection.STATE] = ConnectionLimiter(
                limited, refused, **options
            )
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while not early and (await receive()).get("more_body"):
            pass
        await answer(scope, receive, send)

    config = uvicorn.Config(
        application, port=0, http=protocol.LimitedProtocol, log_level="critical", lifespan="on"
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)
    yield server
    if not server.should_exit:
        await server.shutdown()


def port_of(server: uvicorn.Server) -> int:
    """Return the port on the loopback interface."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
