"""Rejection of large requests that there is no capacity for, before they begin.

To begin a request creates a task and calls the application around it. That takes longer than all
other parts of a refusal: in a flood of ten times the requests that can be answered, it would take a
quarter of the time from the requests that are answered. So a large request begins when its body is
complete, unless there is no capacity for it then.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from valence.service.server.protocol import LimitedProtocol
from valence.service.server.single_write import encode_head

_URL = b"/v1/classify"


class EarlyRejectionProtocol(LimitedProtocol):
    """Asks the limiter's ``early_rejection`` before it begins a large ``POST /v1/classify``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # the pieces of a body whose request has not begun
        self._pieces: list[bytes] | None = None
        self._pieces_since = 0.0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._pieces is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Begin the request, or reject it if there is no capacity for it."""
        if self._pieces is not None:
            early_rejection = self._limiter.early_rejection
            answer = None
            if early_rejection is not None:
                answer = early_rejection.reject(self.headers, b"".join(self._pieces))
            if answer is not None:
                self._pieces = None
                self._in_body = False
                headers = [*self.server_state.default_headers, *answer["headers"]]
                self.transport.write(encode_head(answer["status"], headers) + answer["body"])
                self.on_response_complete()
                return
            self._begin_waiting_request()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Begin the request that waits for its body: it is answered before the server ends."""
        if self._pieces is not None:
            self._begin_waiting_request()
        super().shutdown()

    def check_limits(self, now: float) -> None:
        """Begin a request whose body arrives slowly: the application has limits for that."""
        if self._pieces is not None and now - self._pieces_since > self._limits.body_idle_seconds:
            self._begin_waiting_request()
        super().check_limits(now)

    def _begin_request(self) -> None:
        if self._may_be_rejected():
            self._pieces = []
            self._pieces_since = self.loop.time()
        else:
            super()._begin_request()

    def _begin_waiting_request(self) -> None:
        pieces, self._pieces = self._pieces or (), None
        super()._begin_request()
        for piece in pieces:
            super().on_body(piece)

    def _may_be_rejected(self) -> bool:
        """Whether to wait for the body before the request begins.

        The body is large, but not larger than the buffer of a request that has begun. The request
        is a plain HTTP/1.1 one without another before it, and the server is not shutting down.
        """
        early_rejection = self._limiter.early_rejection
        if early_rejection is None or self.url != _URL or self._shutting_down:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        return (
            length.isdigit()
            and early_rejection.min_body_bytes <= int(length[:9]) <= HIGH_WATER_LIMIT
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
        )
