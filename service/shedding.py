"""Large requests that there is no room for, refused before they are requests.

To begin a request, with its task and the application around it, costs more than all else of a
refusal. In a flood ten times what can be answered that would be a quarter of the time of those who
are answered; so a large request begins when its body is whole, unless there is no room for it then.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from valence.service.connections import LimitedProtocol
from valence.service.whole import head

_URL = b"/v1/classify"


class SheddingProtocol(LimitedProtocol):
    """Asks the watch's ``shed`` before it begins a large ``POST /v1/classify``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # the pieces of a body that has not begun a request
        self._pieces: list[bytes] | None = None
        self._pieces_since = 0.0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._pieces is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The body is whole: begin what there is room for."""
        if self._pieces is not None:
            body = b"".join(self._pieces)
            shed = self._watch.shed
            refusal = shed(self.headers, body) if shed else None
            if refusal is not None:
                self._pieces = None
                self._in_body = False
                headers = [*self.server_state.default_headers, *refusal["headers"]]
                self.transport.write(head(refusal["status"], headers) + refusal["body"])
                self.on_response_complete()
                return
            self._begin_now()
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: a request of which the headers are there has begun for its client."""
        if self._pieces is not None:
            self._begin_now()
        super().shutdown()

    def look(self, now: float) -> None:
        """Begin what comes slowly: the application has limits for that."""
        if self._pieces is not None and now - self._pieces_since > self._limits.body_idle_seconds:
            self._begin_now()
        super().look(now)

    def _begin(self) -> None:
        if self._is_large() and self.url == _URL:
            self._pieces = []
            self._pieces_since = self.loop.time()
        else:
            super()._begin()

    def _begin_now(self) -> None:
        pieces, self._pieces = self._pieces or (), None
        super()._begin()
        for piece in pieces:
            super().on_body(piece)

    def _is_large(self) -> bool:
        """Whether the body is large, but no larger than one that has begun and waits may be.

        Not if this is no plain HTTP/1.1 request that comes alone, nor at the server's end.
        """
        if self._leaving or (self.cycle is not None and not self.cycle.response_complete):
            return False
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        return (
            length.isdigit()
            and self._watch.shed_from <= int(length[:9]) <= HIGH_WATER_LIMIT
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
        )
