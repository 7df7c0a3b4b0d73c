"""Connections that keep to limits: uvicorn's protocol, which alone would wait for ever.

Time is checked for all connections together, twice a second, rather than by timers of each: a
request that comes in one piece costs two attributes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pydantic_core
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from valence.service.pacing.debounce import Later
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.server.lingering_close import TurnedAway
from valence.service.server.single_write import WholeAnswers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message
    from uvicorn.config import Config
    from uvicorn.server import ServerState

# the whole answer (valence.service.server.single_write) to a request of these headers and this body, if it is refused
Shedder: TypeAlias = "Callable[[Sequence[tuple[bytes, bytes]], bytes], Message | None]"

# the name of the watch in the server's state
STATE = "valence.connections"
_LOOK_SECONDS = 0.5
# a refused client is gone sooner, and makes room for the next to be told
_SWEEP_SECONDS = 0.1
# what a connection that waits is left when the server ends: a request may be on its way already
_LEAVING_SECONDS = 0.25
# Each takes some 0.1 ms. Who floods opens another connection as soon as one is refused, so that to
# refuse all at once would take from those who are served whatever time there is.
_REFUSED_A_SECOND = 500.0
_REFUSED_AT_ONCE = 32.0
# how long a refused client may take to read why: what it still sends is thrown away
_LINGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may do, in seconds, bytes and counts."""

    header_bytes: int
    headers: int
    header_seconds: float
    body_idle_seconds: float
    keep_alive_seconds: float
    connections: int
    """Beyond it a connection is refused; of those that are told why there are as many at most."""


class ConnectionWatch:
    """Looks after all connections of a server, twice a second while there are any.

    ``refused`` is told the name of the error that a connection was refused by. ``entry`` is the
    application within the layers that the server has around it, which requests go to directly;
    ``shed`` is asked before a body of ``shed_from`` bytes begins one (:mod:`valence.service.server.early_rejection`).
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        refused: Callable[[str], None],
        *,
        entry: ASGIApp | None = None,
        shed: Shedder | None = None,
        shed_from: int = 0,
    ) -> None:
        self.limits = limits
        self.refused = refused
        self.entry = entry
        self.shed = shed
        self.shed_from = shed_from
        self._connections: set[Any] = set()
        self._expected = 0
        self._refusals = TokenBucket(_REFUSED_A_SECOND, most=_REFUSED_AT_ONCE)
        self._turned_away = TurnedAway(most=limits.connections, seconds=_LINGER_SECONDS)
        self._later = Later(self._look, seconds=_LOOK_SECONDS)
        self._sweep = Later(self._look_at_turned_away, seconds=_SWEEP_SECONDS)

    def room(self) -> int:
        """How many connections may be accepted now."""
        return max(self.limits.connections - len(self._connections) - self._expected, 0)

    def expect(self) -> None:
        """One has been accepted; :meth:`made` tells when it is one of the connections."""
        self._expected += 1

    def miss(self) -> None:
        """One that was expected is gone again."""
        self._expected -= 1

    def room_to_refuse(self) -> int:
        """How many may be refused now."""
        return min(self._turned_away.room, int(self._refusals.left()))

    def refuse(self, connection: socket.socket) -> None:
        """Say that there are too many, to one that has not been accepted into the loop."""
        self._refusals.take(1)
        self.refused(_TOO_MANY.slug)
        self._turned_away.tell(connection, _TOO_MANY_ANSWER, asyncio.get_running_loop().time())
        self._sweep.ask()

    def made(self, connections: set[Any]) -> None:
        """One of ``connections`` is new: look after all."""
        self._connections = connections
        # where another loop accepts, none is expected
        self._expected = max(self._expected - 1, 0)
        self._later.ask()

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            connection.look(now)
        if self._connections:
            self._later.ask()

    def _look_at_turned_away(self) -> None:
        self._turned_away.look(asyncio.get_running_loop().time())
        if len(self._turned_away):
            self._sweep.ask()


class Refusal(NamedTuple):
    """What a connection is told before it is closed; the rest of the table is in the API."""

    status: int
    slug: str
    title: str

    def answer(self) -> bytes:
        """The whole of it, as HTTP."""
        problem = {
            "type": f"urn:valence:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
        }
        body = pydantic_core.to_json(problem)
        return (
            STATUS_LINE[self.status]
            + b"content-type: application/problem+json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n" % len(body)
            + (b"retry-after: 1\r\n" if self.status == 503 else b"")
            + b"\r\n"
            + body
        )


_MALFORMED = Refusal(400, "malformed-request", "The request is not HTTP/1.1")
_HEADERS_SLOW = Refusal(408, "request-timeout", "The headers arrived too slowly")
_BODY_STOPPED = Refusal(408, "request-timeout", "The client stopped sending the body")
_HEADERS_TOO_LARGE = Refusal(431, "headers-too-large", "The headers are too large or too many")
_TOO_MANY = Refusal(503, "too-many-connections", "The service has too many connections")
_TOO_MANY_ANSWER = _TOO_MANY.answer()
REFUSALS = (_MALFORMED, _HEADERS_SLOW, _BODY_STOPPED, _HEADERS_TOO_LARGE, _TOO_MANY)


class _Stop(Exception):
    """Stops the parser."""


class LimitedProtocol(HttpToolsProtocol):
    """Refuses and closes what keeps to no limit; the watch is in the server's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._watch: ConnectionWatch = app_state[STATE]
        self._limits = self._watch.limits
        # read by uvicorn
        self.timeout_keep_alive = self._limits.keep_alive_seconds
        self.ws_protocol_class = None
        now = self.loop.time()
        # when the headers now awaited began; 0 when none are
        self._headers_since = now
        self._header_bytes = 0
        self._in_body = False
        self._last_data = now
        self._write_paused_since = 0.0
        self._leaving = False
        self._refused_since = 0.0
        self._refusal = _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self._watch.made(self.connections)
        if len(self.connections) > 2 * self._limits.connections:
            self._watch.refused(_TOO_MANY.slug)
            transport.abort()
        elif len(self.connections) > self._limits.connections:
            self._refuse(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended: let go of the last request, which holds this in turn.

        Whoever is in such a circle stays until the collector comes, thousands after a flood.
        """
        super().connection_lost(exc)
        if self.cycle is not None and self.cycle.response_complete:
            self.cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take bytes; headers of too many are refused before they are whole."""
        if self._refused_since:
            return
        self._last_data = self.loop.time()
        if not self._in_body:
            if not self._headers_since:
                self._headers_since = self._last_data
                self._header_bytes = 0
            self._header_bytes += len(data)
        super().data_received(data)
        if (
            self._headers_since
            and self._header_bytes > self._limits.header_bytes
            and not self._refused_since
        ):
            self._refuse(_HEADERS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Start the request, if its headers keep to the limits."""
        if len(self.headers) > self._limits.headers or (
            self._header_bytes > self._limits.header_bytes
            and sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
            > self._limits.header_bytes
        ):
            self._refusal = _HEADERS_TOO_LARGE
            raise _Stop
        self._headers_since = 0.0
        self._in_body = True
        self._begin()

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._in_body = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: answer what has begun, and what comes within a moment."""
        self._leaving = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LEAVING_SECONDS, super().shutdown)
        else:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Say what is wrong with what is no request, in the shape of every other error."""
        self._refuse(self._refusal)

    def _begin(self) -> None:
        """Begin the request whose headers are there."""
        super().on_headers_complete()
        if self._leaving:
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, WholeAnswers(self._watch.entry or app, cycle))

    def pause_writing(self) -> None:
        """Remember since when the client does not read."""
        self._write_paused_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._write_paused_since = 0.0
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: what strangers try is no event."""

    def _refuse(self, refusal: Refusal) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                # its answer is on the way, and no other fits into it
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._watch.refused(refusal.slug)
        self.transport.write(refusal.answer())
        self._linger()

    def _linger(self) -> None:
        """Say that no more comes, and close once the client has read that.

        To close while something that it sent is unread would reset the connection, and what it was
        told would be lost on the way.
        """
        if not self.transport.can_write_eof():
            # TLS, which says so itself
            self.transport.close()
            return
        self._refused_since = self.loop.time()
        self.transport.write_eof()
        self.flow.resume_reading()

    def look(self, now: float) -> None:
        """End what has lasted too long at the time ``now`` of the event loop."""
        limits = self._limits
        if self._refused_since:
            if now - self._refused_since > _LINGER_SECONDS:
                self.transport.abort()
        elif self.transport.is_closing():
            # what was written and is not read would keep it open for ever
            if now - self._last_data > limits.body_idle_seconds:
                self.transport.abort()
        elif self._headers_since:
            if now - self._headers_since > limits.header_seconds:
                self._refuse(_HEADERS_SLOW)
        elif self._write_paused_since:
            if now - self._write_paused_since > limits.body_idle_seconds:
                self.transport.abort()
        elif (
            self._in_body
            and not self.flow.read_paused
            and now - self._last_data > limits.body_idle_seconds
        ):
            self._refuse(_BODY_STOPPED)
