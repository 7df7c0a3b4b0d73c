"""uvicorn's HTTP protocol with limits on time, bytes and counts; uvicorn's own waits for ever.

The time limits are checked for all connections together, twice a second, without a timer for each
connection. So a request that arrives in one piece costs only two attributes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from valence.service.server.refusals import (
    BODY_STOPPED,
    HEADERS_TOO_LARGE,
    HEADERS_TOO_SLOW,
    MALFORMED,
    TOO_MANY_CONNECTIONS,
    Refusal,
)
from valence.service.server.single_write import SingleWriteSend

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState
    from valence.service.server.connection_limits import ConnectionLimiter

# the key of the ConnectionLimiter in the state of the server
STATE = "valence.connections"
# How long an idle connection stays open after the server has begun to shut down: a request may be
# on its way already.
_SHUTDOWN_IDLE_SECONDS = 0.25


class _StopParsing(Exception):
    """Raised in a callback of the parser.

    httptools turns it into an ``HttpParserCallbackError``, for which uvicorn calls
    ``send_400_response``.
    """


class LimitedProtocol(HttpToolsProtocol):
    """Closes each connection that exceeds a limit; the limiter is in the state of the server."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limiter: ConnectionLimiter = app_state[STATE]
        self._limits = self._limiter.limits
        # uvicorn reads these two
        self.timeout_keep_alive = self._limits.keep_alive_seconds
        self.ws_protocol_class = None
        now = self.loop.time()
        # when the headers that are awaited began, in the time of the loop; 0 if none are awaited
        self._headers_since = now
        self._header_bytes = 0
        self._in_body = False
        self._last_data = now
        self._write_paused_since = 0.0
        self._shutting_down = False
        self._refused_since = 0.0
        self._refusal = MALFORMED
        self._answer: SingleWriteSend | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection, or refuse it if there are too many."""
        super().connection_made(transport)
        self._limiter.register(self.connections)
        if len(self.connections) > 2 * self._limits.connections:
            self._limiter.count_refusal(TOO_MANY_CONNECTIONS.slug)
            transport.abort()
        elif len(self.connections) > self._limits.connections:
            self._refuse(TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the last request, because the request and this protocol refer to each other.

        Objects in such a cycle stay in memory until the garbage collector runs: thousands of them
        after a flood.
        """
        super().connection_lost(exc)
        self._answer = None
        if self.cycle is not None and self.cycle.response_complete:
            self.cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Parse ``data``; headers that are too large are refused before they are complete."""
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
            self._refuse(HEADERS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin the request, if its headers are within the limits."""
        if len(self.headers) > self._limits.headers or (
            self._header_bytes > self._limits.header_bytes
            and sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
            > self._limits.header_bytes
        ):
            self._refusal = HEADERS_TOO_LARGE
            raise _StopParsing
        self._headers_since = 0.0
        self._in_body = True
        super().on_headers_complete()
        if self._shutting_down:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the body is complete."""
        self._in_body = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """Answer the request that has begun, or one that arrives within a moment, then close."""
        self._shutting_down = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_SHUTDOWN_IDLE_SECONDS, super().shutdown)
        else:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is not a valid request, in the format of every other error."""
        self._refuse(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answer = SingleWriteSend(self._limiter.application or app, cycle)
        super()._start_asgi_task(cycle, self._answer)

    def pause_writing(self) -> None:
        """Note since when the client does not read."""
        self._write_paused_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._write_paused_since = 0.0
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Suppress uvicorn's warning: port scanners would fill the log with it."""

    def _refuse(self, refusal: Refusal) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                # part of its answer is sent, so no other answer can be sent
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._limiter.count_refusal(refusal.slug)
        self.transport.write(refusal.encode())
        self._linger()

    def _linger(self) -> None:
        """End the writing side, and close once the client has closed its side.

        To close a connection that holds unread data from the client would reset it, and the client
        would lose the refusal.
        """
        if not self.transport.can_write_eof():
            # TLS, which announces its end itself
            self.transport.close()
            return
        self._refused_since = self.loop.time()
        self.transport.write_eof()
        self.flow.resume_reading()

    def check_limits(self, now: float) -> None:
        """End what has lasted too long; ``now`` is the time of the event loop."""
        limits, answer = self._limits, self._answer
        idle_seconds = (answer and answer.idle_seconds) or limits.body_idle_seconds
        if self._refused_since:
            if now - self._refused_since > limits.linger_seconds:
                self.transport.abort()
        elif self.transport.is_closing():
            # an answer that the client does not read would keep the connection open for ever
            if now - self._last_data > idle_seconds:
                self.transport.abort()
        elif answer is not None and answer.is_watched:
            return
        elif self._headers_since:
            if now - self._headers_since > limits.header_seconds:
                self._refuse(HEADERS_TOO_SLOW)
        elif self._write_paused_since:
            if now - self._write_paused_since > idle_seconds:
                self.transport.abort()
        elif self._in_body and not self.flow.read_paused and now - self._last_data > idle_seconds:
            self._refuse(BODY_STOPPED)
