"""A request and a response: what HTTP is to a handler, no more.

Starlette's own classes do the same at three times the cost (header and URL objects nobody asks
for); a handler may return any of Starlette's responses, since both are ASGI.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.types import Message, Receive, Scope, Send
from valence.service.api.http.body_limits import BodyLimits
from valence.service.api.http.disconnect import ClientGone, UntilGone
from valence.service.api.http.validation import Model, parse, parse_query
from valence.service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InvalidRequest,
    Overloaded,
    UnsupportedMedia,
)
from valence.service.inference.scorer import Stages
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.server.single_write import supports_single_write

# ours, and what Envoy, and so Istio, tells a service of its own limit
TIMEOUT_HEADERS = (b"x-request-timeout-ms", b"x-envoy-expected-rq-timeout-ms")
_MILLISECONDS = re.compile(rb"0{0,9}[1-9][0-9]{0,8}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# a body that is read whole and comes slower than this is not worth its connection
SLOWEST_BYTES_PER_SECOND = 1024

# a worker's own prefix and a count: unique, and a tenth of the price of a UUID
_request_ids = map(f"{os.urandom(8).hex()}-{{:x}}".format, itertools.count(1))


class Response:
    """A whole response; an ASGI application."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        media_type: str = "application/json",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.body = body
        self.status = status
        self.headers = (
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            *headers,
        )

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        start: Message = {
            "type": "http.response.start",
            "status": self.status,
            "headers": list(self.headers),
        }
        if supports_single_write(scope):
            start["body"] = self.body
            await send(start)
            return
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


class Request:
    """What a handler may ask of a request, and what it tells the log and the metrics about it."""

    __slots__ = (
        "_ends",
        "_held",
        "_limits",
        "_paid",
        "_receive",
        "arrived",
        "bucket",
        "headers",
        "id",
        "key",
        "model",
        "parameters",
        "scope",
        "stages",
        "texts",
        "tokens",
        "traceparent",
        "version",
    )

    def __init__(self, scope: Scope, receive: Receive, *, limits: BodyLimits) -> None:
        self.scope = scope
        self._receive = receive
        self._limits = limits
        self._held = 0
        self._ends: float | None = None
        self._paid = 1  # by being admitted
        self.arrived = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.traceparent = self.headers.get(b"traceparent", b"")
        given = self.headers.get(b"x-request-id", b"")
        self.id = given.decode() if _REQUEST_ID.fullmatch(given) else next(_request_ids)
        self.parameters: dict[str, str] = {}
        # filled by the handler, and by who admits it
        self.key = self.model = self.version = ""
        self.bucket: TokenBucket | None = None
        self.texts = self.tokens = 0
        self.stages: Stages | None = None

    def seconds_left(self, most: float) -> float:
        """How long an answer is waited for: ``most``, or what the client said if that is less.

        ``most`` counts from the first call, a client's own limit from the request's first byte.
        Raises :class:`InvalidRequest` for one that is no whole number of milliseconds.
        """
        now = time.perf_counter()
        if self._ends is None:
            self._ends = min(now + most, self.arrived + self._asked_seconds())
        return self._ends - now

    def _asked_seconds(self) -> float:
        for name in TIMEOUT_HEADERS:
            given = self.headers.get(name)
            if given is not None:
                if not _MILLISECONDS.fullmatch(given):
                    message = "not a whole number of milliseconds from 1 to 999999999"
                    location = name.decode()
                    raise InvalidRequest(f"{location}: {message}", ((location, message),))
                return int(given) / 1000
        return math.inf

    def pay(self, texts: int) -> None:
        """Take so many texts from the API key's rate, less what the request has paid before."""
        if self.bucket is not None and texts > self._paid:
            self.bucket.take(texts - self._paid)
            self._paid = texts

    async def json(self, model: type[Model]) -> Model:
        """The body as ``model``.

        Raises :class:`UnsupportedMedia`, :class:`BodyTooLarge`, :class:`MalformedBody` or
        :class:`InvalidRequest`; none of them repeats what the body says but names of fields.
        """
        self.require_media("application/json")
        return parse(model, await self.body())

    def require_media(self, *types: str) -> str:
        """The body's media type, the first of ``types`` if it says none.

        Raises :class:`UnsupportedMedia` for any other.
        """
        given = self.headers.get(b"content-type", b"")
        media_type = given.split(b";", 1)[0].strip().lower().decode("latin-1")
        if media_type and media_type not in types:
            raise UnsupportedMedia(
                f"this path reads {' or '.join(types)}; send the header Content-Type: {types[0]}"
            )
        return media_type or types[0]

    def header(self, name: bytes) -> bytes | None:
        """The last value of a header; ``name`` is in lower case."""
        return self.headers.get(name)

    def query(self, model: type[Model]) -> Model:
        """The query string as ``model``; raises :class:`InvalidRequest`."""
        return parse_query(model, self.scope.get("query_string", b""))

    def stream(self, media_types: Sequence[str]) -> Callable[[], Awaitable[bytes | None]]:
        """Reads a body of any length piece by piece: what has arrived, and None after its end.

        Each call lets the client send more, so who calls later slows it down; it raises
        :class:`ClientGone` when the client hangs up. The body must be one of ``media_types``, the
        first of which is recommended, or :class:`UnsupportedMedia` is raised at once.
        """
        self.require_media(*media_types)
        self._require_plain()
        ended = False

        async def read() -> bytes | None:
            nonlocal ended
            if ended:
                return None
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            ended = not message.get("more_body", False)
            data: bytes = message.get("body", b"")
            return data

        return read

    async def body(self) -> bytes:
        """The whole body; reads at most the limit, however the length is declared."""
        self._require_plain()
        # what is no number is the server's to refuse; the bytes are counted in any case
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:19]) > self._limits.most:
            raise self._too_large()
        body, more = await self._chunk()
        if not more:
            return self._with_room(body)
        chunks = [body]
        limits = self._limits
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(started + limits.idle_seconds) as timeout:
                while more:
                    body, more = await self._chunk()
                    chunks.append(body)
                    allowed = max(limits.idle_seconds, self._held / SLOWEST_BYTES_PER_SECOND)
                    timeout.reschedule(started + allowed)
        except TimeoutError:
            raise BodyTooSlow(
                f"a body may take {limits.idle_seconds:g} seconds, or longer if it arrives at "
                f"{SLOWEST_BYTES_PER_SECOND} bytes per second; send the body faster"
            ) from None
        return self._with_room(b"".join(chunks))

    def _with_room(self, body: bytes) -> bytes:
        """``body``, if there is room for what a large one asks; a path may name another model."""
        if not self.parameters:
            self._limits.require_room_for(body)
        return body

    def release(self) -> None:
        """Let go of the body: its memory may serve another."""
        self._limits.held -= self._held
        self._held = 0

    async def _chunk(self) -> tuple[bytes, bool]:
        """What comes next of the body, and whether there is more."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        body: bytes = message.get("body", b"")
        limits = self._limits
        self._held += len(body)
        limits.held += len(body)
        if self._held > limits.most:
            raise self._too_large()
        if limits.held > limits.memory:
            raise Overloaded(
                f"the {limits.memory} bytes of memory for bodies are in use; try again after the time "
                "in Retry-After",
                retry_after_seconds=1.0,
            )
        return body, message.get("more_body", False)

    def until_gone(self) -> UntilGone:
        """A context whose body ends with :class:`ClientGone` when the client hangs up."""
        return UntilGone(self._receive)

    def _require_plain(self) -> None:
        if self.headers.get(b"content-encoding", b"identity") not in (b"", b"identity"):
            raise UnsupportedMedia(
                "this service does not read compressed bodies; send the body uncompressed"
            )

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"a body may have {self._limits.most} bytes; send fewer texts per request"
        )
