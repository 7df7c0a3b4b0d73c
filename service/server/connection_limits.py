"""The limits on connections, and the limiter that enforces them for all connections of a server."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valence.service.pacing.debounce import Debounced
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.server.lingering_close import LingeringSockets
from valence.service.server.refusals import TOO_MANY_CONNECTIONS

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_MAX_EVICTIONS_AT_ONCE = 64
_EVICTION_PAUSE_SECONDS = 0.1
_SWEEP_SECONDS = 0.5
_MAX_ENDS_PER_TURN = 8
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
    """Connections above it are refused."""
    lingering: int
    """So many more connections may wait for their last answer to be read, and as many sockets for
    their refusal."""
    linger_seconds: float = 5.0
    """How long a client may take to read an answer that ends its connection: a connection that
    ended at once would lose the answer."""
    linger_bytes: int = 16 * 1024 * 1024
    """How much such a client may still send, which is discarded."""
    idle_seconds: float = 0.5
    """After this time without a request a connection makes room, if all places are taken."""
    idle_customer_seconds: float = 5.0
    """The same for a client that has classified something."""


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
        # connections that have had their last answer, the oldest first
        self._leaving: dict[Any, None] = {}
        self._next_eviction = 0.0
        self._reserved = 0
        self._refusals = TokenBucket(_REFUSALS_PER_SECOND, capacity=_MAX_REFUSALS_AT_ONCE)
        self._lingering = LingeringSockets(
            max_sockets=limits.lingering, seconds=limits.linger_seconds
        )
        self._sweep_soon = Debounced(self._sweep, seconds=_SWEEP_SECONDS)
        self._sweep_lingering_soon = Debounced(
            self._sweep_lingering, seconds=_LINGERING_SWEEP_SECONDS
        )

    def capacity(self) -> int:
        """How many connections may be accepted now; idle connections end if there is no room."""
        return self._room() or self._evict()

    def is_exceeded(self) -> bool:
        """Whether more connections are served than there may be, even without the idle ones."""
        if self._taken() > self.limits.connections:
            self._evict()
        return self._taken() > self.limits.connections

    def leave(self, connection: Any) -> None:
        """Give back the place of a connection that has had its last answer.

        Where too many linger, the oldest of them ends.
        """
        self._leaving[connection] = None
        if len(self._leaving) > self.limits.lingering:
            oldest = next(iter(self._leaving))
            del self._leaving[oldest]
            oldest.abort()

    def forget(self, connection: Any) -> None:
        """Drop a connection that has ended."""
        self._leaving.pop(connection, None)

    def _room(self) -> int:
        return max(self.limits.connections - self._taken() - self._reserved, 0)

    def _taken(self) -> int:
        return len(self._connections) - len(self._leaving)

    def _evict(self) -> int:
        """End idle connections, and return for how many new ones there is room now."""
        now = asyncio.get_running_loop().time()
        if now < self._next_eviction:
            return 0
        idle = []
        for connection in self._connections:
            least = (
                self.limits.idle_customer_seconds
                if connection.is_customer
                else self.limits.idle_seconds
            )
            since = connection.idle_since
            if now - since > least and connection not in self._leaving:
                idle.append((least, since, connection))
        idle.sort(key=lambda found: found[:2])
        for connection in _silent([found[2] for found in idle[:_MAX_EVICTIONS_AT_ONCE]]):
            connection.evict()
        if not idle:
            self._next_eviction = now + _EVICTION_PAUSE_SECONDS
        return self._room()

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
        self._check(list(self._connections))

    def _check(self, connections: list[Any]) -> None:
        """Check some of ``connections`` in this turn of the event loop, and the others later.

        To end a connection takes some 20 us, and hundreds may end together.
        """
        loop = asyncio.get_running_loop()
        now, ended = loop.time(), 0
        while connections and ended < _MAX_ENDS_PER_TURN:
            ended += connections.pop().check_limits(now)
        if connections:
            loop.call_soon(self._check, connections)
        elif self._connections:
            self._sweep_soon.request()

    def _sweep_lingering(self) -> None:
        self._lingering.sweep(asyncio.get_running_loop().time())
        if len(self._lingering):
            self._sweep_lingering_soon.request()


def _silent(connections: Sequence[Any]) -> list[Any]:
    """The connections from which nothing has arrived that is not read yet, such as a request."""
    poll = select.poll()
    numbers = {connection: connection.descriptor for connection in connections}
    for number in numbers.values():
        poll.register(number, select.POLLIN)
    arrived = {number for number, _ in poll.poll(0)}
    return [connection for connection, number in numbers.items() if number not in arrived]
