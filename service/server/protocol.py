"""uvicorn's HTTP protocol with limits on bytes and counts, and with the rules of framing."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from valence.service.server import framing
from valence.service.server.bounded_connection import BoundedConnection
from valence.service.server.refusals import HEADERS_TOO_LARGE, MALFORMED
from valence.service.server.single_write import SingleWriteSend

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

# Requests that wait for the answers before them. A segment of the network holds thousands of small
# ones, each of which would take 2 KiB.
_MAX_PIPELINED = 32


class _StopParsing(Exception):
    """Raised in a callback of the parser, which turns it into an ``HttpParserCallbackError``."""


class LimitedProtocol(BoundedConnection):
    """Reads requests, and refuses each one that exceeds a limit or breaks a rule of HTTP."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header_bytes = 0
        # the headers of the next request that framing has rules for, and those of the last one
        self._watched: list[tuple[bytes, bytes]] = []
        self._usual: list[tuple[bytes, bytes]] | None = None
        self._upgrade_offered = False
        # bytes since the last piece of a body: sizes of chunks, their extensions, and trailers
        self._framing_bytes = 0
        self._trailers = 0
        self._refusal = MALFORMED

    def data_received(self, data: bytes) -> None:
        """Parse ``data``; headers that are too large are refused before they are complete."""
        if self._lingers_since:
            self._discard(data)
            return
        if self._stopped:
            return
        self._last_data = self.loop.time()
        if self._in_body:
            self._framing_bytes += len(data)
        else:
            if not self._headers_since:
                self._headers_since = self._last_data
                self._header_bytes = 0
            self._header_bytes += len(data)
        self._kept_since = 0.0
        self._parse(data)
        allowed = self._limits.header_bytes
        if (self._headers_since and self._header_bytes > allowed) or (
            self._in_body and self._framing_bytes > allowed
        ):
            self._refuse(HEADERS_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or discard a trailer."""
        if self._in_body:
            self._trailers += 1
            if self._trailers > self._limits.headers:
                self._refusal = HEADERS_TOO_LARGE
                raise _StopParsing
            return
        name = name.lower()
        if name in framing.WATCHED:
            self._watched.append((name, value))
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the request, if its head is within the limits and the rules."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._stop(None)
            raise _StopParsing
        if len(self.headers) > self._limits.headers or (
            self._header_bytes > self._limits.header_bytes
            and sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
            > self._limits.header_bytes
        ):
            self._refusal = HEADERS_TOO_LARGE
            raise _StopParsing
        watched, self._watched = self._watched, []
        version = self.parser.get_http_version()
        # nearly every request of a connection has the same one Host, and nothing else to look at
        if watched != self._usual or version != "1.1" or self.parser.should_upgrade():
            self._apply_rules(version, watched)
        self._headers_since = 0.0
        self._in_body = True
        self._begin_request(version)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the body is complete."""
        if self._upgrade_offered:
            # the parser has left out the body, which another parser reads
            self._upgrade_offered = False
            return
        self._in_body = False
        super().on_message_complete()

    def _begin_request(self, version: str) -> None:
        """Hand the request to the application, or let it wait for the answers before it.

        uvicorn's own method asks the parser again for what is known here, and has limits of its
        own.
        """
        scope, parser, before = self.scope, self.parser, self.cycle
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        scope["path"] = self.root_path + (urllib.parse.unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + url.path
        scope["query_string"] = url.query or b""
        keep_alive = version != "1.0" and parser.should_keep_alive() and not self._shutting_down
        self.cycle = RequestResponseCycle(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            keep_alive,
            self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answer = SingleWriteSend(self._limiter.application or app, cycle, self._end)
        super()._start_asgi_task(cycle, self._answer)

    def _apply_rules(self, version: str, watched: list[tuple[bytes, bytes]]) -> None:
        """Refuse a request whose head others may read in another way."""
        fault = framing.find_fault(version, self.parser.get_method(), watched)
        if fault is not None:
            self._refusal = fault
            raise _StopParsing
        if len(watched) == 1 and version == "1.1":
            self._usual = watched
            return
        self._framing_bytes = self._trailers = 0
        self.expect_100_continue = version == "1.1" and framing.expects_continue(watched)
        self._upgrade_offered = self.parser.should_upgrade()

    def _parse(self, data: bytes) -> None:
        # uvicorn's own method would write lines into the log that are not JSON
        try:
            while True:
                try:
                    self.parser.feed_data(data)
                except httptools.HttpParserUpgrade as offer:
                    data = data[offer.args[0] :]
                    self.parser = framing.resume_body(self, self.headers)
                else:
                    return
        except httptools.HttpParserError:
            if not self._stopped:
                self._refuse(self._refusal)
