"""Our application in the place of BentoML's middleware and router, on our protocol and event loop.

Mounted under BentoML's layers, a request would cost more than twice as much. These layers make
spans even without a collector, start a task and a timer that is never cancelled for every request,
and label metrics by the raw path.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn.config
from valence.service.server import port, supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send
    from valence.service.server.connection_limits import ConnectionLimiter

# BentoML's clients learn from it how to call the service, and only BentoML can answer it.
_SCHEMA_PATH = "/schema.json"


class PortServer(Protocol):
    """The server of another port of the same process; ``option`` is what sets the port."""

    port: int
    option: str

    async def start(self, host: str) -> None:
        """Listen on ``host``; raises :class:`OSError` if the port cannot be had."""

    def close(self) -> None:
        """Stop listening."""


def install(
    service: Any,
    *,
    application: Callable[[], ASGIApp],
    make_limiter: Callable[[ASGIApp], ConnectionLimiter],
    make_ports: Callable[[], Sequence[PortServer]],
) -> None:
    """Have the workers of the BentoML service ``service`` answer with our application.

    ``application`` returns it, once BentoML has created the service. ``make_limiter`` is called
    when the server starts, with the application that gets all requests. ``make_ports`` is called
    when the server listens, and returns the servers of other ports.
    """
    # The worker looks its protocol and its loop up in these tables, because BentoML passes neither.
    # uvicorn's own protocol waits for headers and bodies for ever, and uvloop accepts one
    # connection per turn.
    uvicorn.config.HTTP_PROTOCOLS["auto"] = "valence.service.server.protocol:LimitedProtocol"
    uvicorn.config.LOOP_FACTORIES["auto"] = "valence.service.server.event_loop:loop_factory"
    service.add_asgi_middleware(
        Gateway, application=application, make_limiter=make_limiter, make_ports=make_ports
    )


class Gateway:
    """Replaces the middleware stack of BentoML's application ``app`` when the server starts."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        application: Callable[[], ASGIApp],
        make_limiter: Callable[[ASGIApp], ConnectionLimiter],
        make_ports: Callable[[], Sequence[PortServer]],
    ) -> None:
        self._bentoml = app
        self._application = application
        self._make_limiter = make_limiter
        self._make_ports = make_ports
        self._ports: list[PortServer] = []
        self._outermost: ASGIApp | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request by our application, and all else by BentoML's."""
        if scope["type"] == "http" and scope["path"] != _SCHEMA_PATH:
            # not awaited here: a coroutine around each request would cost at each of its steps
            return self._application()(scope, receive, send)
        return self._delegate(scope, receive, send)

    async def _delegate(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._start(scope)
        scope["app"] = self._outermost
        await self._bentoml(scope, receive, send)
        if scope["type"] == "lifespan":
            # probes are answered to the very end
            for server in self._ports:
                server.close()

    def _start(self, scope: Scope) -> None:
        from valence.service.server import bounded_connection
        from valence.service.server.event_loop import BatchAcceptLoop

        limiter = scope["state"][bounded_connection.STATE] = self._make_limiter(self)
        loop = asyncio.get_running_loop()
        if isinstance(loop, BatchAcceptLoop):
            loop.admission = limiter
            loop.on_listening = self._start_ports
        self._outermost = scope["app"]
        # What BentoML has around this object does nothing that the service needs.
        scope["app"].middleware_stack = self

    async def _start_ports(self, listening: socket.socket) -> None:
        """Listen on the other ports, at the address of ``listening``."""
        host = listening.getsockname()[0]
        for server in self._make_ports():
            try:
                await server.start(host)
            except OSError as error:
                # an exit by an exception would leave a traceback of the event loop
                reason = port.describe(host, server.port, error, option=server.option)
                sys.stderr.write(f"valence: {reason}\n")
                sys.stderr.flush()
                os._exit(supervisor.CANNOT_START)
            self._ports.append(server)
