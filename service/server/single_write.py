"""The answer in one write: headers and body in one ASGI message, and in one write to the socket.

This is an ASGI extension, :data:`EXTENSION` in the ``extensions`` of a scope. Where the server has
it, the message ``http.response.start`` may hold a ``body``, and is then the whole answer. Two
writes are two packets, each packet wakes the client, and the second one costs a tenth of a
one-sentence request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.types import Message, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

EXTENSION = "valence.http.response.whole"
# The key, in the message ``http.response.start``, of the seconds for which a client may stand still
# by the answer's own rule. The application then ends the answer itself.
IDLE_SECONDS = "valence.http.response.idle_seconds"
_EXTENSIONS: dict[str, dict[object, object]] = {EXTENSION: {}}


def supports_single_write(scope: Scope) -> bool:
    """Whether the server of ``scope`` takes an answer in one message."""
    return EXTENSION in scope.get("extensions", ())


class SingleWriteSend:
    """Wraps the application ``app`` for one request of uvicorn, and adds the extension to it."""

    __slots__ = ("_app", "_cycle", "idle_seconds")

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
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
            await cycle.send(message)  # type: ignore[arg-type]
            return
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        headers = [*cycle.default_headers, *message["headers"]]
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        content = encode_head(message["status"], headers)
        if cycle.scope["method"] != "HEAD":
            content += message["body"]
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(content)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


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
