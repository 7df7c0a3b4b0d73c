"""The answer in one write: headers and body in one ASGI message, and in one write to the socket.

This is an ASGI extension, :data:`EXTENSION` in the ``extensions`` of a scope. Where the server has
it, the message ``http.response.start`` may hold a ``body``, and is then the whole answer. Two
writes are two packets, each packet wakes the client, and the second one costs a tenth of a
one-sentence request.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from starlette.types import Message, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

EXTENSION = "valence.http.response.whole"
# The pages and the OpenAPI document are larger, and their bytes are the same for all clients.
_LARGE_BYTES = 32_768
# The key, in the message ``http.response.start``, of the seconds for which a client may stand still
# by the answer's own rule. The application then ends the answer itself.
IDLE_SECONDS = "valence.http.response.idle_seconds"
_EXTENSIONS: dict[str, dict[object, object]] = {EXTENSION: {}}


def supports_single_write(scope: Scope) -> bool:
    """Whether the server of ``scope`` takes an answer in one message."""
    return EXTENSION in scope.get("extensions", ())


class SingleWriteSend:
    """Wraps the application ``app`` for one request of uvicorn, and adds the extension to it.

    ``end`` is called instead of uvicorn's own closing after an answer that ends its connection.
    An answer before the end of the body is such an answer.
    """

    __slots__ = ("_app", "_cycle", "_end", "idle_seconds", "status")

    def __init__(self, app: Any, cycle: RequestResponseCycle, end: Callable[[], None]) -> None:
        self._app = app
        self._cycle = cycle
        self._end = end
        self.status = 0
        """The status of the answer; 0 before it."""
        self.idle_seconds = 0.0
        """For how long the client may stand still by the answer's own rule; 0 without one."""

    @property
    def is_watched(self) -> bool:
        """Whether the application watches over the time of this answer, which is not complete."""
        return self.idle_seconds > 0 and not self._cycle.response_complete

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:  # noqa: ARG002
        """Call the application with a ``send`` of our own; returns its awaitable."""
        scope["extensions"] = _EXTENSIONS
        return self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        cycle = self._cycle
        if "body" not in message or message["type"] != "http.response.start":
            self.idle_seconds = message.get(IDLE_SECONDS, self.idle_seconds)
            await self._send_part(message)
        else:
            await self._send_whole(message)
        # The request lasts until its client has read the answer, so that its memory counts.
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()

    async def _send_whole(self, message: Message) -> None:
        """Send an answer in one message."""
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        self.status = message["status"]
        if cycle.more_body:
            cycle.keep_alive = False
        headers = [*cycle.default_headers, *message["headers"]]
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        head = encode_head(message["status"], headers)
        body = message["body"] if cycle.scope["method"] != "HEAD" else b""
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        if len(body) < _LARGE_BYTES:
            cycle.transport.write(head + body)
        else:
            # in one call of the system too, but without a copy for each client that reads slowly
            cycle.transport.writelines((head, body))
        cycle.message_event.set()
        if cycle.keep_alive:
            cycle.on_response()
        else:
            self._end()

    async def _send_part(self, message: Message) -> None:
        """Send a message of an answer in several messages."""
        cycle = self._cycle
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if cycle.scope["http_version"] == "1.0" and not any(
                name == b"content-length" for name, _ in message["headers"]
            ):
                # HTTP/1.0 has no chunks: the end of the connection is the end of the answer
                cycle.chunked_encoding = False
                cycle.expected_content_length = sys.maxsize
        elif not message.get("more_body", False):
            if cycle.expected_content_length > sys.maxsize // 2:
                cycle.expected_content_length = len(message.get("body", b""))
            if not cycle.keep_alive or cycle.more_body:
                # uvicorn would close at once, and a client that still sends would lose the answer
                cycle.keep_alive = True
                cycle.on_response = self._end
        await cycle.send(message)  # type: ignore[arg-type]


def encode_head(status: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers; raises :class:`RuntimeError` if a header contains a line break."""
    lines = [STATUS_LINE[status]]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    # one line break for each header, one for the status line and one for the empty line
    if head.count(b"\n") != len(headers) + 2:
        raise RuntimeError("a header contains a line break")
    return head
