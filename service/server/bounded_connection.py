"""A connection of uvicorn that ends in time; uvicorn's own waits for ever.

The time limits are checked for all connections together, twice a second, without a timer for each
connection. So a request that arrives in one piece costs only two attributes.

After an answer that ends its connection, such as one that came before the whole body, the writing
side is closed, and what the client still sends is discarded for a while. To close a connection that
holds unread data would reset it, and the client would lose the answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from valence.service.server.refusals import (
    BODY_STOPPED,
    HEADERS_TOO_SLOW,
    TOO_MANY_CONNECTIONS,
    Refusal,
)

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState
    from valence.service.server.connection_limits import ConnectionLimiter
    from valence.service.server.single_write import SingleWriteSend

# the key of the ConnectionLimiter in the state of the server
STATE = "valence.connections"
# The bytes of answers that a connection holds for a client that does not read, before its requests
# wait. Larger answers count in the memory of all requests meanwhile, smaller ones do not.
_UNREAD_BYTES = 16 * 1024
# How long an idle connection stays open after the server has begun to shut down: a request may be
# on its way already.
_SHUTDOWN_IDLE_SECONDS = 0.25


class BoundedConnection(HttpToolsProtocol):
    """Ends each connection that exceeds a limit; the limiter is in the state of the server."""

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
        # uvicorn reads it
        self.ws_protocol_class = None
        now = self.loop.time()
        # when the headers that are awaited began, in the time of the loop; 0 if none are awaited
        self._headers_since = now
        self._in_body = False
        # since when the next request is awaited, after an answer; 0 if none is awaited
        self._kept_since = 0.0
        self._last_data = now
        self._write_paused_since = 0.0
        self._shutting_down = False
        # whether no further request is read; the last answer then ends the connection
        self._stopped = False
        # the refusal that follows the last answer
        self._last_refusal: Refusal | None = None
        self._lingers_since = 0.0
        self._lingering_bytes = 0
        self._answer: SingleWriteSend | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection, or refuse it if there are too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_UNREAD_BYTES)
        self._limiter.register(self.connections)
        if self._limiter.is_exceeded():
            self._refuse(TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the last request, because the request and this protocol refer to each other.

        Objects in such a cycle stay in memory until the garbage collector runs: thousands of them
        after a flood.
        """
        super().connection_lost(exc)
        self._limiter.forget(self)
        self._answer = None
        if self.cycle is not None and self.cycle.response_complete:
            self.cycle = None  # type: ignore[assignment]

    def shutdown(self) -> None:
        """Answer the request that has begun, or one that arrives within a moment, then close."""
        self._shutting_down = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_SHUTDOWN_IDLE_SECONDS, super().shutdown)
        else:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or wait for one.

        uvicorn's own method starts a timer, which the next request has to cancel.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._kept_since = self.loop.time()

    def pause_writing(self) -> None:
        """Note since when the client does not read."""
        self._write_paused_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._write_paused_since = 0.0
        super().resume_writing()

    def check_limits(self, now: float) -> bool:
        """End what has lasted too long, and return whether there was something to end.

        ``now`` is the time of the event loop.
        """
        end = self._find_end(now)
        if end is not None:
            end()
        return end is not None

    def _find_end(self, now: float) -> Callable[[], None] | None:
        """What ends that which has lasted too long; None if nothing has."""
        limits, answer = self._limits, self._answer
        idle_seconds = (answer and answer.idle_seconds) or limits.body_idle_seconds
        if self._lingers_since:
            late, end = now - self._lingers_since > limits.linger_seconds, self.transport.abort
        elif self.transport.is_closing():
            # an answer that the client does not read would keep the connection open for ever
            late, end = now - self._last_data > idle_seconds, self.transport.abort
        elif answer is not None and answer.is_watched:
            return None
        elif self._headers_since and now - self._headers_since > limits.header_seconds:
            return partial(self._refuse, HEADERS_TOO_SLOW)
        elif self._write_paused_since:
            late, end = now - self._write_paused_since > idle_seconds, self.transport.abort
        elif self._in_body and not self.flow.read_paused and now - self._last_data > idle_seconds:
            return partial(self._refuse, BODY_STOPPED)
        else:
            kept = self._kept_since and now - self._kept_since > limits.keep_alive_seconds
            late, end = bool(kept), self.transport.close
        return end if late else None

    @property
    def descriptor(self) -> int:
        """The number of the socket."""
        number: int = self.transport.get_extra_info("socket").fileno()
        return number

    @property
    def is_customer(self) -> bool:
        """Whether the last answer was to a POST, and no error: probably to a client with a key."""
        answer, cycle = self._answer, self.cycle
        return (
            answer is not None
            and 0 < answer.status < 400
            and cycle is not None
            and cycle.scope["method"] == "POST"
        )

    @property
    def idle_since(self) -> float:
        """Since when there has been no request, in the time of the loop; infinity if there is."""
        answer = self._answer
        if self._lingers_since or self.transport.is_closing() or (answer and answer.is_watched):
            return math.inf
        if self._write_paused_since:
            return self._write_paused_since
        if self.cycle is not None and (self._in_body or not self.cycle.response_complete):
            return math.inf
        return self._headers_since or self._last_data

    def evict(self) -> None:
        """End this connection, which has no request, to make room for another one."""
        if self._headers_since:
            self._refuse(TOO_MANY_CONNECTIONS)
            return
        self._limiter.leave(self)
        if self._write_paused_since:
            self.transport.abort()
        else:
            self.transport.close()

    def abort(self) -> None:
        """End this connection at once."""
        self.transport.abort()

    def _stop(self, refusal: Refusal | None) -> None:
        """Read no further request; ``refusal`` follows the answers that are due."""
        self._stopped = True
        self._headers_since = 0.0
        if self.cycle.keep_alive:
            self._last_refusal = refusal
        self.cycle.keep_alive = self._last_refusal is not None
        self.cycle.on_response = self._end

    def _end(self) -> None:
        """End the connection after an answer."""
        if self.transport.is_closing() or self._lingers_since:
            return
        if self._last_refusal is not None:
            self._send_refusal(self._last_refusal)
        if self._stopped or self._in_body or self.pipeline:
            self._linger()
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with ``refusal`` instead of the application, and end the connection."""
        if self.transport.is_closing() or self._lingers_since or self._stopped:
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not self._in_body:
                # the requests before the refused one get their answers first
                self._stop(refusal)
                return
            if cycle.response_started or self.pipeline:
                # no other answer can be sent after a part of one, or before another one
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._send_refusal(refusal)
        self._linger()

    def _send_refusal(self, refusal: Refusal) -> None:
        self._limiter.count_refusal(refusal.slug)
        self.transport.write(refusal.encode())

    def _linger(self) -> None:
        """End the writing side, and close once the client has closed its side, or after a while."""
        self._limiter.leave(self)
        if not self.transport.can_write_eof():
            # TLS, which announces its end itself
            self.transport.close()
            return
        self._lingers_since = self.loop.time()
        self.transport.write_eof()
        self.flow.resume_reading()

    def _discard(self, data: bytes) -> None:
        """Count what a client sends that has had its last answer."""
        self._lingering_bytes += len(data)
        if self._lingering_bytes > self._limits.linger_bytes:
            self.transport.abort()
