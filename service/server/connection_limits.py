"""The limits on connections, and the limiter that enforces them for all connections of a server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valence.service.pacing.debounce import Debounced
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.server.lingering_close import LingeringSockets
from valence.service.server.refusals import TOO_MANY_CONNECTIONS

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_SWEEP_SECONDS = 0.5
# Refused sockets are looked at more often, because each one that is closed makes room for another
# refusal.
_LINGERING_SWEEP_SECONDS = 0.1
# A refusal takes some 0.1 ms, and a flooding client opens another connection as soon as one is
# refused. To refuse all of them at once would take all time from the clients that are served.
_REFUSALS_PER_SECOND = 500.0
_MAX_REFUSALS_AT_ONCE = 32.0
_TOO_MANY_CONNECTIONS = TOO_MANY_CONNECTIONS.encode()


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits on connections, in seconds, bytes and counts."""

    header_bytes: int
    headers: int
    header_seconds: float
    body_idle_seconds: float
    keep_alive_seconds: float
    connections: int
    """Connections above it are refused; as many sockets again may wait for their refusal to be
    read."""
    linger_seconds: float = 5.0
    """A refused client may take this long to read the refusal; what it still sends is discarded."""


class ConnectionLimiter:
    """Counts the connections of a server, and has each one checked twice a second.

    ``count_refusal`` is called with the slug of each refusal. ``application`` gets the requests
    directly, past the layers that the server has around it; None leaves these layers.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        count_refusal: Callable[[str], None],
        *,
        application: ASGIApp | None = None,
    ) -> None:
        self.limits = limits
        self.count_refusal = count_refusal
        self.application = application
        self._connections: set[Any] = set()
        self._reserved = 0
        self._refusals = TokenBucket(_REFUSALS_PER_SECOND, capacity=_MAX_REFUSALS_AT_ONCE)
        self._lingering = LingeringSockets(
            max_sockets=limits.connections, seconds=limits.linger_seconds
        )
        self._sweep_soon = Debounced(self._sweep, seconds=_SWEEP_SECONDS)
        self._sweep_lingering_soon = Debounced(
            self._sweep_lingering, seconds=_LINGERING_SWEEP_SECONDS
        )

    def capacity(self) -> int:
        """How many connections may be accepted now."""
        return max(self.limits.connections - len(self._connections) - self._reserved, 0)

    def reserve(self) -> None:
        """Reserve a place for an accepted socket until :meth:`register` is called for it."""
        self._reserved += 1

    def release(self) -> None:
        """Give back the place of a reserved socket that closed before it became a connection."""
        self._reserved -= 1

    def refusal_capacity(self) -> int:
        """How many sockets may be refused now."""
        return min(self._lingering.capacity, int(self._refusals.balance()))

    def refuse(self, connection: socket.socket) -> None:
        """Send 503 to a socket that did not enter the event loop, and close it later."""
        self._refusals.take(1)
        self.count_refusal(TOO_MANY_CONNECTIONS.slug)
        now = asyncio.get_running_loop().time()
        self._lingering.reject_and_linger(connection, _TOO_MANY_CONNECTIONS, now)
        self._sweep_lingering_soon.request()

    def register(self, connections: set[Any]) -> None:
        """Take note of ``connections``, all of the server, one of which is new."""
        self._connections = connections
        # an event loop other than ours reserves nothing
        self._reserved = max(self._reserved - 1, 0)
        self._sweep_soon.request()

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            connection.check_limits(now)
        if self._connections:
            self._sweep_soon.request()

    def _sweep_lingering(self) -> None:
        self._lingering.sweep(asyncio.get_running_loop().time())
        if len(self._lingering):
            self._sweep_lingering_soon.request()
