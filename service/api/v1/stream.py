"""``POST /v1/classify/stream``: a line in, a line out, for any number of lines.

Reading, scoring and writing run concurrently, each at most a few chunks ahead of the next one. So
the service reads slowly from a client that reads slowly, and answers the lines of a client that
sends slowly at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from valence.service import errors
from valence.service.api.http.body import BodyReader
from valence.service.api.http.outcome import ModelFailure, Outcome
from valence.service.api.http.problems import KINDS
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.api.http.scoring import find_scorer
from valence.service.api.v1.examples import STREAMED
from valence.service.api.v1.ndjson import Line, LineSplitter
from valence.service.api.v1.schemas import Options, StreamAnswer, StreamLine
from valence.service.api.v1.stream_lines import LineAnswerer
from valence.service.server.single_write import IDLE_SECONDS

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl", "application/json-lines")

# The lines that enter the queue together: enough to fill batches, and few enough that a stream
# takes no longer a turn in the queue than a request with as many texts.
_CHUNK_LINES = 256
_CHUNK_BYTES = 64 * 1024
# The chunks that may wait to be written: one is scored while another waits.
_MAX_CHUNKS_AHEAD = 1
# The answer to a line, for the account of memory.
_ANSWER_BYTES = 512
# A connection that is closed with unread bytes loses the last bytes written to it. So the service
# reads on for so long after the last line.
_LINGER_SECONDS = 1.0
# What ends a stream before its body, after a last line with the reason.
_ENDS = (errors.Unavailable, errors.DeadlineExceeded, errors.Unauthorized, errors.Forbidden)


async def classify_stream(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v1/classify/stream``."""
    options = request.query(Options)
    scorer = find_scorer(context, request, options.model)
    try:
        _require_plain(options)
        read = request.stream(MEDIA_TYPES)
    except errors.RequestError as error:
        raise ModelFailure(error, scorer) from error
    answerer = LineAnswerer(context, request, scorer, options)
    stream = Stream(context, answerer, read, request.body)
    return Outcome(
        stream,
        scorer.name,
        scorer.version,
        answerer.usage,
        prediction_id=answerer.prediction_id,
    )


def _require_plain(options: Options) -> None:
    """Raise :class:`InvalidRequest` for options that the answer to a line has no place for."""
    for field, given in (
        ("granularity", options.granularity != "document"),
        ("explain", options.explain),
    ):
        if given:
            raise errors.InvalidRequest.for_field(
                field,
                "a stream answers with the label of each line alone; send the text to "
                "POST /v1/classify",
            )


class _NoRoom(Exception):
    """The memory of all requests is used up; ``number`` is the first line that is not answered."""

    def __init__(self, number: int, error: errors.Overloaded) -> None:
        super().__init__(str(error))
        self.number = number
        self.error = error


class Stream:
    """A response that is written while its request is read; an ASGI application."""

    def __init__(
        self,
        context: Context,
        answerer: LineAnswerer,
        read: Callable[[], Awaitable[bytes | None]],
        body: BodyReader,
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._answerer = answerer
        self._read = read
        self._body = body
        self._answers: asyncio.Queue[tuple[asyncio.Task[bytes], int] | None] = asyncio.Queue(
            _MAX_CHUNKS_AHEAD
        )

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer until the body ends, or the service does.

        Raises :class:`ClientGone` when the client hangs up, ``TimeoutError`` when it stops reading.
        """
        answering: asyncio.Task[bytes] | None = None
        reading = asyncio.create_task(self._read_lines())
        try:
            # The first read tells a client that sent "Expect: 100-continue" to go on, but only
            # before the answer begins. One turn of the event loop starts the task, another one
            # its first read.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await self._write(send, {**_START, IDLE_SECONDS: self._settings.stream_idle_seconds})
            while (begun := await self._answers.get()) is not None:
                answering, held = begun
                await self._write(send, _part(await answering))
                self._body.release(held)
            await reading
            await self._write(send, _part(b"", more=False))
        finally:
            reading.cancel()
            left = [answering] if answering else []
            while not self._answers.empty():
                left += [begun[0] for begun in (self._answers.get_nowait(),) if begun]
            for task in left:
                task.cancel()

    async def _write(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._settings.stream_idle_seconds):
                await send(message)
        except TimeoutError:
            self._context.metrics.count_rejection(KINDS[errors.DeadlineExceeded].slug)
            raise TimeoutError(
                f"the client did not read its answers for {self._settings.stream_idle_seconds:g} "
                "seconds"
            ) from None

    async def _read_lines(self) -> None:
        """Read lines and start to answer them, until the body or the stream ends."""
        lines = LineSplitter(max_bytes=self._settings.max_body_bytes)
        ending = asyncio.create_task(self._context.models.ending.wait())
        unfinished = 0
        try:
            while (data := await self._next(ending)) is not None:
                self._answerer.renew_key()
                # a socket yields up to 256 KiB at once, which may be as many lines
                for start in range(0, len(data), _CHUNK_BYTES):
                    complete = lines.feed(data[start : start + _CHUNK_BYTES])
                    self._body.release(unfinished)
                    unfinished = 0
                    await self._start_answers(complete)
                    unfinished = lines.held_bytes
                    self._hold(unfinished, lines.next_number)
                    await asyncio.sleep(0)
            await self._start_answers(lines.finish())
        except _ENDS as error:
            await self._end(lines.next_number, error)
        except _NoRoom as full:
            await self._end(full.number, full.error)
        finally:
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._answers.put(None)

    async def _next(self, ending: asyncio.Task[Any]) -> bytes | None:
        """The bytes that have arrived, or None at the end of the body."""
        if not ending.done():
            receiving = asyncio.ensure_future(self._read())
            try:
                await asyncio.wait(
                    (receiving, ending),
                    timeout=self._settings.stream_idle_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if receiving.done():
                    return receiving.result()
            finally:
                receiving.cancel()
        if ending.done():
            raise errors.Unavailable(
                "the service is draining; it did not read this line and those after it, send them "
                "again"
            )
        raise errors.DeadlineExceeded(
            f"no data arrived for {self._settings.stream_idle_seconds:g} seconds, so the service "
            "ended the stream; send this line and those after it again"
        )

    async def _end(self, number: int, error: errors.RequestError) -> None:
        """Answer the lines from ``number`` on with ``error``: they are to be sent again."""
        last = self._answerer.refuse(number, "", error, resume_from=number)
        await self._answers.put((asyncio.create_task(_ready(last)), 0))
        await self._linger()

    def _hold(self, count: int, number: int) -> None:
        """Count the memory of lines from ``number`` on; raises :class:`_NoRoom`."""
        try:
            self._body.hold(count)
        except errors.Overloaded as error:
            raise _NoRoom(number, error) from error

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._read() is not None:
                    pass

    async def _start_answers(self, lines: Sequence[Line]) -> None:
        for chunk in _chunks(lines):
            held = sum(_ANSWER_BYTES + len(line.content or b"") for line in chunk)
            self._hold(held, chunk[0].number)
            await self._answers.put((asyncio.create_task(self._answerer.answer(chunk)), held))


_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", MEDIA_TYPES[0].encode())],
}


def _part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _ready(line: bytes) -> bytes:
    return line + b"\n"


def _chunks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """``lines`` in chunks that are scored together."""
    start = size = 0
    for index, line in enumerate(lines):
        length = len(line.content or b"")
        if index > start and (index - start == _CHUNK_LINES or size + length > _CHUNK_BYTES):
            yield lines[start:index]
            start, size = index, 0
        size += length
    if start < len(lines):
        yield lines[start:]


ROUTES = (
    Route(
        method="POST",
        path="/v1/classify/stream",
        handler=classify_stream,
        operation=Operation(
            summary="Classify a stream of lines",
            description="Newline-delimited JSON in both directions, for any number of lines. The "
            "service answers each line in order, with a result or an error, while the client still "
            "sends later lines. Blank lines do not get an answer. A line may also be a JSON "
            "string, the text alone. Read while you write: the service reads from a client only as "
            "fast as the client reads the answers. `granularity=sentence` and `explain=true` are "
            "refused.",
            tag="classify",
            query=Options,
            media_types=MEDIA_TYPES,
            request=StreamLine,
            request_examples={
                "a line": {"text": "I love this little thing!"},
                "a line with a name": {"id": "review-7", "text": "It broke."},
            },
            response=StreamAnswer,
            response_examples=STREAMED,
            errors=(
                errors.UnknownModel,
                errors.UnsupportedMedia,
                errors.InvalidRequest,
                errors.Unavailable,
            ),
        ),
    ),
)
