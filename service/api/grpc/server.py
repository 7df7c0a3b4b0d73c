"""The server of the port for gRPC: calls become requests of the application."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from starlette.types import ASGIApp, Message, Scope
from valence.service.api.grpc import health, inference, models
from valence.service.api.grpc.messages import MESSAGES
from valence.service.api.grpc.procedures import MEDIA_TYPE
from valence.service.api.grpc.statuses import CODES
from valence.service.api.http.request import TIMEOUT_HEADERS
from valence.service.api.http.routes import Context, Route
from valence.service.server.single_write import EXTENSION
from valence.service.settings import Settings

ROUTES: tuple[Route, ...] = (*inference.ROUTES, *models.ROUTES, *health.ROUTES, inference.STREAM)

# what an answer says beside its message
_PREDICTION_ID = "x-prediction-id"
_METADATA = frozenset(
    (b"x-request-id", b"x-model-version", b"retry-after", b"traceparent", _PREDICTION_ID.encode())
)
_EXTENSIONS: dict[str, dict[object, object]] = {EXTENSION: {}}
# the largest number of milliseconds that the header may have
_MAX_MILLISECONDS = 999_999_999
# a client of several streams shares one connection among its threads
_MAX_STREAMS = 256
# a client that is gone without a word is found by a ping after the first time, and the second
_PING_SECONDS, _PONG_SECONDS = 60, 10
_StreamResponse = MESSAGES["ModelStreamInferResponse"]


def make_options(settings: Settings) -> tuple[tuple[str, int], ...]:
    """The limits in ``settings`` as options of the library."""

    def milliseconds(seconds: float) -> int:
        return round(seconds * 1000)

    return (
        # each worker listens, and the kernel shares the connections out
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        # the application bounds its answers
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_header_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_header_bytes),
        ("grpc.max_concurrent_streams", _MAX_STREAMS),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_idle_ms", milliseconds(settings.keep_alive_seconds)),
        ("grpc.server_handshake_timeout_ms", milliseconds(settings.header_timeout_seconds)),
        ("grpc.keepalive_time_ms", milliseconds(_PING_SECONDS)),
        ("grpc.keepalive_timeout_ms", milliseconds(_PONG_SECONDS)),
        # only messages that are not compressed: a small one could otherwise become large
        ("grpc.compression_enabled_algorithms_bitset", 1),
    )


class CallServer:
    """Answers the calls on ``port`` by ``application``, which serves :data:`ROUTES`.

    One of several workers listens once it is ``ready``: until then it leaves connections to the
    others.
    """

    option = "VALENCE_GRPC_PORT"

    def __init__(
        self,
        application: ASGIApp,
        context: Context,
        port: int,
        ready: asyncio.Event | None = None,
    ) -> None:
        self.port = port
        self._ready = ready
        self._log = context.log
        self._application = application
        self._models = context.models
        self._settings = context.settings
        self._server: grpc.aio.Server | None = None
        self._ending: asyncio.Task[Any]
        self._stopping: asyncio.Task[None] | None = None

    async def start(self, host: str) -> None:
        """Listen on ``host``, now or when ready; raises :class:`OSError` if the port is taken."""
        if self._ready is None:
            await self._listen(host)
        else:
            self._waiting = asyncio.create_task(self._listen_when_ready(host, self._ready))

    async def _listen_when_ready(self, host: str, ready: asyncio.Event) -> None:
        await ready.wait()
        if self._models.ending.is_set():
            return
        try:
            await self._listen(host)
        except OSError as error:
            # the port was free before the workers began, so this is the fault of a moment
            self._log.event("error", "no calls", reason=str(error))

    async def _listen(self, host: str) -> None:
        settings = self._settings
        server = grpc.aio.server(
            options=make_options(settings), maximum_concurrent_rpcs=settings.max_connections
        )
        server.add_generic_rpc_handlers((_Methods(self._make_handlers()),))
        address = f"[{host}]" if ":" in host else host
        try:
            self.port = server.add_insecure_port(f"{address}:{self.port}")
        except RuntimeError as error:
            raise OSError(errno.EADDRINUSE, str(error)) from None
        self._ending = asyncio.create_task(self._models.ending.wait())
        await server.start()
        self._server = server

    def leave(self) -> None:
        """Take no more calls; those that were taken have the grace of the settings to end."""
        if self._server is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._server.stop(self._settings.grace_seconds))

    close = leave

    async def drain(self) -> None:
        """Return when every call has its answer."""
        self.leave()
        if self._stopping is not None:
            await self._stopping
            self._ending.cancel()

    def _make_handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        handlers = {
            route.path: grpc.unary_unary_rpc_method_handler(self._make_call(route.path))
            for route in ROUTES
            if route is not inference.STREAM
        }
        handlers[inference.STREAM.path] = grpc.stream_stream_rpc_method_handler(self._stream)
        handlers[f"/{health.SERVICE}/Watch"] = grpc.unary_stream_rpc_method_handler(self._watch)
        return handlers

    def _make_call(self, path: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(content: bytes, context: Any) -> bytes:
            answer = await self._ask(path, content, context)
            if answer.status != 200:
                await context.abort(CODES[answer.status], answer.body.decode(), answer.metadata)
            context.set_trailing_metadata(answer.metadata)
            return answer.body

        return call

    async def _stream(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer each message of a stream; an error of one message costs the others nothing."""
        while (content := await self._read(messages, context)) is not None:
            answer = await self._ask(inference.STREAM.path, content, context)
            if answer.status == 200:
                reply = _StreamResponse()
                reply.infer_response.ParseFromString(answer.body)
                # the metadata of a stream are those of all its answers
                prediction_id = dict(answer.metadata).get(_PREDICTION_ID)
                if prediction_id:
                    parameter = reply.infer_response.parameters["prediction_id"]
                    parameter.string_param = prediction_id
            else:
                reply = _StreamResponse(error_message=answer.body.decode())
            yield reply.SerializeToString()

    async def _read(self, messages: AsyncIterator[bytes], context: Any) -> bytes | None:
        """The next message of a stream, None at its end; aborts the stream if none comes."""
        reading = asyncio.ensure_future(_take(messages))
        idle_seconds = self._settings.stream_idle_seconds
        try:
            done, _ = await asyncio.wait(
                (reading, self._ending),
                timeout=idle_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if reading in done:
                return reading.result()
        finally:
            reading.cancel()
        if self._models.ending.is_set():
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, "the service is ending; open a stream elsewhere"
            )
        await context.abort(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"no message came for {idle_seconds:g} seconds; open a stream when there is a message",
        )
        return None

    async def _watch(self, content: bytes, _context: Any) -> AsyncIterator[bytes]:
        async for answer in health.watch(self._models, content):
            yield answer

    async def _ask(self, path: str, content: bytes, context: Any) -> _Answer:
        """The answer of the application to the message ``content`` of the method at ``path``."""
        headers = [
            (name.encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in context.invocation_metadata() or ()
        ]
        headers.append((b"content-type", MEDIA_TYPE.encode()))
        seconds = context.time_remaining()
        if seconds is not None:
            limit = min(max(int(seconds * 1000), 1), _MAX_MILLISECONDS)
            headers.append((TIMEOUT_HEADERS[0], b"%d" % limit))
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "extensions": _EXTENSIONS,
        }
        answer, messages = _Answer(), iter((content,))

        async def receive() -> Message:
            for message in messages:
                return {"type": "http.request", "body": message}
            # the library cancels the call of a client that is gone
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        await self._application(scope, receive, answer.send)
        return answer


class _Answer:
    """What the application sends: the status, a message or the detail of a problem, metadata."""

    __slots__ = ("body", "metadata", "status")

    def __init__(self) -> None:
        self.status = 500
        self.body = b""
        self.metadata: tuple[tuple[str, str], ...] = ()

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.metadata = tuple(
                (name.decode(), value.decode("latin-1"))
                for name, value in message["headers"]
                if name in _METADATA
            )
        # the answer is one message, or pieces of up to 64 KiB
        self.body += message.get("body", b"")


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the handler of a method; of any other one the library says that there is none."""

    def __init__(self, handlers: dict[str, grpc.RpcMethodHandler]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler | None:
        """The handler of the method that a client calls."""
        return self._handlers.get(handler_call_details.method)


async def _take(messages: AsyncIterator[bytes]) -> bytes | None:
    async for message in messages:
        return message
    return None
