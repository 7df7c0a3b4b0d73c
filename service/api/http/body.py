"""The body of a request: read within limits on its size, its speed and all requests' memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from starlette.types import Message, Receive
from valence.service.api.http.disconnect import CancelOnDisconnect, ClientGone
from valence.service.api.http.validation import MAX_ITEMS
from valence.service.errors import BodyTooLarge, BodyTooSlow, Overloaded, UnsupportedMedia
from valence.service.inference.admission import LARGE_BODY
from valence.service.inference.turns import Turns
from valence.service.settings import Settings

# A body that is read whole and comes more slowly than this is not worth its connection.
MIN_BYTES_PER_SECOND = 1024
# A larger body is parsed in a turn of the event loop in which no other large body is parsed: a
# megabyte takes some milliseconds.
_LONG_PARSE_BYTES = 128 * 1024
_WATCHED = nullcontext()


@dataclass(slots=True)
class BodyLimits:
    """The limits of all bodies, and the memory that requests hold now.

    A body may have ``max_body_bytes`` and, in JSON, ``max_items`` strings and commas. Bodies, texts
    and large answers of all requests together may hold ``max_total_bytes``, of which they hold
    ``held_bytes``.
    """

    max_body_bytes: int
    max_total_bytes: int
    idle_seconds: float
    max_items: int = MAX_ITEMS
    held_bytes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> BodyLimits:
        """The limits in ``settings``."""
        return cls(
            settings.max_body_bytes,
            settings.body_memory_bytes,
            settings.body_idle_seconds,
            # a text may have an id, and commas are between them
            4 * settings.max_texts + MAX_ITEMS,
        )


class BodyReader:
    """Reads the body of one request, and accounts for the memory that the request holds.

    ``require_room`` raises for a large body that the model could not answer now; it is None when
    the model is not known before the body is parsed.
    """

    __slots__ = ("_headers", "_held_bytes", "_limits", "_receive", "_watch", "require_room")

    def __init__(
        self,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        limits: BodyLimits,
        require_room: Callable[[bytes], None] | None = None,
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._limits = limits
        self.require_room = require_room
        self._held_bytes = 0
        self._watch: CancelOnDisconnect | None = None

    async def read(self) -> bytes:
        """The whole body; at most the limit is read, whatever length is declared.

        After a large body the connection is watched: if the client disconnects, the task that has
        read the body is cancelled at its next turn, whatever it does then.

        Raises :class:`UnsupportedMedia` for a compressed body, :class:`BodyTooLarge`,
        :class:`BodyTooSlow`, :class:`Overloaded`, or :class:`ClientGone`.
        """
        self._require_uncompressed()
        # The server refuses a length that is not a number; the bytes are counted in any case.
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:19]) > self._limits.max_body_bytes:
            raise self._too_large()
        message = await self._receive()
        body = self._take_chunk(message)
        if message.get("more_body", False):
            body = await self._read_rest(body)
        if len(body) > LARGE_BODY:
            if len(body) > _LONG_PARSE_BYTES:
                await Turns().give()
            if self.require_room is not None:
                self.require_room(body)
            self._watch = CancelOnDisconnect(self._receive)
            self._watch.start()
        return body

    def disconnect(self) -> AbstractContextManager[None]:
        """A context that ends with :class:`ClientGone` when the client disconnects.

        After a large body the connection is watched already.
        """
        return CancelOnDisconnect(self._receive) if self._watch is None else _WATCHED

    @property
    def max_items(self) -> int:
        """How many strings and commas a body of JSON may have."""
        return self._limits.max_items

    def find_cause(self, error: BaseException) -> BaseException:
        """Why the request ends with ``error``: :class:`ClientGone` if its client disconnected.

        The task was cancelled then, and goes on. Any other error is its own cause.
        """
        if isinstance(error, asyncio.CancelledError) and self._watch and self._watch.gone:
            self._watch.uncancel()
            return ClientGone()
        return error

    def unwatch(self) -> None:
        """Watch the connection no longer: the answer is about to be sent."""
        if self._watch is not None:
            self._watch.stop()

    def stream(self) -> Callable[[], Awaitable[bytes | None]]:
        """A function that reads a body of any length, chunk by chunk; None marks its end.

        Each call lets the client send more, so a caller that calls later slows the client down. A
        call raises :class:`ClientGone` when the client disconnects. Raises
        :class:`UnsupportedMedia` at once for a compressed body.
        """
        self._require_uncompressed()
        ended = False

        async def read_chunk() -> bytes | None:
            nonlocal ended
            if ended:
                return None
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            ended = not message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            return chunk

        return read_chunk

    def hold(self, count: int) -> None:
        """Count ``count`` bytes more until :meth:`release`.

        Raises :class:`Overloaded` if that is too much beside what other requests hold. A request
        that holds memory alone is within the limits of one request.
        """
        limits = self._limits
        self._held_bytes += count
        limits.held_bytes += count
        if self._held_bytes < limits.held_bytes > limits.max_total_bytes:
            raise Overloaded(
                f"the {limits.max_total_bytes} bytes of memory for bodies, texts and answers are "
                "in use; try again after the time in Retry-After",
                retry_after_seconds=1.0,
            )

    def release(self, count: int | None = None) -> None:
        """Give ``count`` bytes back to the total, or all that the request holds."""
        released = self._held_bytes if count is None else count
        self._limits.held_bytes -= released
        self._held_bytes -= released

    async def _read_rest(self, body: bytes) -> bytes:
        """A body that comes in several chunks, of which ``body`` is the first."""
        chunks, more = [body], True
        limits = self._limits
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(started + limits.idle_seconds) as timeout:
                while more:
                    message = await self._receive()
                    chunks.append(self._take_chunk(message))
                    more = message.get("more_body", False)
                    allowed = max(limits.idle_seconds, self._held_bytes / MIN_BYTES_PER_SECOND)
                    timeout.reschedule(started + allowed)
        except TimeoutError:
            raise BodyTooSlow(
                f"a body may take {limits.idle_seconds:g} seconds, or longer if it arrives at "
                f"{MIN_BYTES_PER_SECOND} bytes per second; send the body faster"
            ) from None
        return b"".join(chunks)

    def _take_chunk(self, message: Message) -> bytes:
        """The chunk of the body in ``message``, which is counted and held."""
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        if self._held_bytes + len(chunk) > self._limits.max_body_bytes:
            raise self._too_large()
        self.hold(len(chunk))
        return chunk

    def _require_uncompressed(self) -> None:
        encoding = self._headers.get(b"content-encoding")
        if encoding and encoding.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMedia(
                "this service does not read compressed bodies; send the body uncompressed"
            )

    def _too_large(self) -> BodyTooLarge:
        limit = self._limits.max_body_bytes
        return BodyTooLarge(f"a body may have {limit} bytes; send fewer texts per request")
