"""A port of its own for probes and metrics, which clients of the service cannot fill.

A full service answers 503 on its own port, and a cluster that probes there restarts pods that are
healthy. Connections to this port have limits of their own.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState
from valence.service.server.bounded_connection import STATE
from valence.service.server.protocol import LimitedProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from valence.service.server.connection_limits import ConnectionLimiter


class AdminServer:
    """Answers on ``port`` with ``application``, within the limits of ``limiter``."""

    option = "VALENCE_ADMIN_PORT"

    def __init__(self, application: ASGIApp, port: int, limiter: ConnectionLimiter) -> None:
        self.port = port
        self._config = uvicorn.Config(
            application, log_config=None, lifespan="off", proxy_headers=False
        )
        self._state = ServerState()
        self._limiter = limiter
        self._server: asyncio.Server | None = None

    async def start(self, host: str) -> None:
        """Listen on ``host``; raises :class:`OSError` if the port is taken."""
        # Each worker listens, and the kernel shares the connections out.
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(
            self._connect, host, self.port, reuse_port=True
        )

    def close(self) -> None:
        """Stop listening, and end the connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    def _connect(self) -> LimitedProtocol:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        return LimitedProtocol(self._config, self._state, {STATE: self._limiter})
