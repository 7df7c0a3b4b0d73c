"""A response whose body is complete when it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.types import Message, Receive, Scope, Send
from valence.service.server.single_write import supports_single_write

# A larger answer is sent in pieces of this size, as fast as its client reads. So the bytes that the
# connection holds are few, and the answer counts as the request's until its client has read it.
_PIECE_BYTES = 64 * 1024


class Response:
    """A complete response; an ASGI application.

    ``rest`` follows the body: bytes that many answers have in common, which are not copied for each
    of them. Starlette's own class does the same at three times the cost.
    """

    __slots__ = ("body", "headers", "rest", "status")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        media_type: str = "application/json",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        rest: bytes = b"",
    ) -> None:
        self.body = body
        self.rest = rest
        self.status = status
        self.headers = (
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % (len(body) + len(rest))),
            *headers,
        )

    def is_whole(self, scope: Scope) -> bool:
        """Whether the answer is sent in one message, :meth:`message`."""
        return len(self.body) <= _PIECE_BYTES and not self.rest and supports_single_write(scope)

    def message(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> Message:
        """The whole answer, with ``headers`` after those of its own."""
        return {
            "type": "http.response.start",
            "status": self.status,
            "headers": [*self.headers, *headers],
            "body": self.body,
        }

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        if self.is_whole(scope):
            await send(self.message())
            return
        start: Message = {
            "type": "http.response.start",
            "status": self.status,
            "headers": list(self.headers),
        }
        await send(start)
        pieces = [*_cut(self.body), *_cut(self.rest)] or [memoryview(b"")]
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _cut(content: bytes) -> Iterator[memoryview]:
    """Pieces of ``content``, without a copy: many clients read the same page at their own speed."""
    view = memoryview(content)
    return (view[start : start + _PIECE_BYTES] for start in range(0, len(view), _PIECE_BYTES))
