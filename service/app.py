"""The BentoML service: load the models, answer with our own ASGI application, drain.

The application takes the place of BentoML's middleware and router. Mounted under them, a request
would cost more than twice as much: spans are built although nobody traces, every request starts a
task and a timer that is never cancelled, and metrics are labelled by the raw path. BentoML keeps
what it is good at: building, shipping and starting the service, and ``/schema.json``, from which
its clients learn how to call ``classify``.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
import uvicorn.config
from bentoml import get_current_service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from valence.service.inference.scorer import Scorer
    from valence.service.server.protocol import ConnectionWatch


# One worker: in a container BentoML does not restart a killed one, so scale by replicas.
@bentoml.service(name="valence", workers=1)
class Valence:
    """Text classifiers behind ``POST /v1/classify``."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from valence.service import settings, version
        from valence.service.api.application import allow_origins, create_app
        from valence.service.inference.models import Models
        from valence.service.observability import log, metrics, tracing

        self.settings = settings.Settings.from_environment(os.environ)
        self.log = log.Log(sys.stdout, access=self.settings.access_log)
        atexit.register(self.log.flush)
        self.metrics = metrics.Metrics(version=version.VERSION)
        self.models = Models(hung_seconds=self.settings.hung_seconds)
        self._tracer = tracing.Tracer() if tracing.wanted(os.environ) else None
        self.application = create_app(
            settings=self.settings,
            models=self.models,
            metrics=self.metrics,
            log=self.log,
            tracer=self._tracer,
        )
        self.entry = allow_origins(self.application)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="engine")
        # much of loading is hashing and folding, which BentoML's own start need not wait for
        self._loaded = self._worker.submit(self._load)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Refuse to start on what cannot be served, before any worker exists.

        The seals are enough here: workers start after this, so every import and every weight
        read would make the service ready later.
        """
        from valence.service import settings
        from valence.service.classifier import seal
        from valence.service.errors import ValenceError
        from valence.service.keys import key_file
        from valence.service.registry import models
        from valence.service.server import supervisor

        try:
            wanted = settings.Settings.from_environment(os.environ)
            if wanted.api_keys_file:
                key_file.read(Path(wanted.api_keys_file))
            elif not wanted.allow_anonymous:
                key_file.require_unless_loopback(_host())
            if wanted.engine.startswith("native"):
                from valence.service.inference.engines import factory

                factory.require(wanted.engine)
            for folder in models.folders(wanted):
                seal.verify(folder)
        except ValenceError as error:
            supervisor.refuse(error)
        supervisor.watch()

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Load while the server answers 503, so that health is told from the first moment."""
        from valence.service.server import supervisor

        supervisor.end_with_parent()
        self._opening = asyncio.create_task(self._open())
        self._end_streams_at_sigterm()
        if self.settings.drain_seconds:
            self._leave_before(signal.SIGTERM)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def drain(self) -> None:
        """Answer what was admitted."""
        self._opening.cancel()
        await self.models.close()
        self.log.flush()
        if self._tracer is not None:
            # waits for a collector, which must not keep this loop from its last answers
            await asyncio.to_thread(self._tracer.close)

    @bentoml.api(route="/v1/classify")  # type: ignore[untyped-decorator]
    async def classify(
        self,
        text: Any = None,
        texts: Any = None,
        *,
        id: Any = None,  # noqa: A002 - the field's name
        ids: Any = None,
        model: Any = None,
        top_k: Any = None,
        min_confidence: Any = None,
        truncation: Any = None,
        granularity: Any = None,
        explain: Any = None,
    ) -> Any:
        """Label a text or several; the same as POST /v1/classify, which is what clients call."""
        from valence.service.api.v1.classification import classify_in_process

        fields = {
            "text": text,
            "texts": texts,
            "id": id,
            "ids": ids,
            "model": model,
            "top_k": top_k,
            "min_confidence": min_confidence,
            "truncation": truncation,
            "granularity": granularity,
            "explain": explain,
        }
        return await classify_in_process(
            self.application.context, {k: v for k, v in fields.items() if v is not None}
        )

    def _end_streams_at_sigterm(self) -> None:
        """The server waits for requests to end before it says that it does: a stream must know."""
        import threading

        if threading.current_thread() is not threading.main_thread():
            return
        loop, servers = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def end(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.models.ending.set)
            if callable(servers):
                servers(number, frame)

        signal.signal(signal.SIGTERM, end)

    def _leave_before(self, ending: signal.Signals) -> None:
        """Have the server go on for a while after ``ending``, saying that it is not ready."""
        loop = asyncio.get_running_loop()
        end = signal.getsignal(ending)

        def leave(number: int, frame: FrameType | None) -> None:
            signal.signal(ending, end)
            loop.call_soon_threadsafe(self.models.leave)
            if callable(end):
                loop.call_soon_threadsafe(
                    loop.call_later, self.settings.drain_seconds, end, number, frame
                )

        signal.signal(ending, leave)

    async def _open(self) -> None:
        from valence.service.errors import ValenceError
        from valence.service.server import supervisor

        try:
            scorers = await asyncio.wrap_future(self._loaded)
            self.models.open(scorers)
        except Exception as error:
            try:
                if isinstance(error, ValenceError):
                    self.log.event("error", "not started", reason=str(error))
                else:
                    self.log.failure("not started", error)
            finally:
                # Nothing in this task's way up to the server would end the process; and who reads
                # the log may be gone.
                os._exit(supervisor.CANNOT_START)
        # a batch that comes back from its thread waits this long for the event loop, and it for one
        sys.setswitchinterval(0.0005)
        # what was loaded stays: the collector need not walk it again and again
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    def _load(self) -> list[Scorer]:
        from valence.service.classifier import artifact
        from valence.service.classifier.classifier import Classifier
        from valence.service.inference.admission import QueueLimits
        from valence.service.inference.cache import AnswerCache
        from valence.service.inference.engines import factory
        from valence.service.inference.scorer import Scorer
        from valence.service.registry import models

        limits = QueueLimits(self.settings.queue_items, self.settings.queue_tokens)
        memory = self.settings.cache_bytes
        cache = AnswerCache(max_bytes=memory) if memory else None
        scorers = []
        for folder in models.folders(self.settings):
            loaded = artifact.load(folder)
            engine = factory.create(loaded, name=self.settings.engine, log=self.log)
            scorer = Scorer(
                Classifier(loaded),
                engine,
                limits=limits,
                worker=self._worker,
                metrics=self.metrics,
                cache=cache,
            )
            scorer.warm_up()
            scorers.append(scorer)
        return scorers


def _host() -> str:
    """The address that ``bentoml serve`` was told to listen on."""
    import click
    from bentoml._internal.configuration.containers import BentoMLContainer

    context = click.get_current_context(silent=True)
    host = context.params.get("host") if context else None
    return str(host or BentoMLContainer.http.host.get())


def _connection_watch(entry: ASGIApp) -> ConnectionWatch:
    from valence.service.inference.admission import LARGE_BODY
    from valence.service.server import protocol
    from valence.service.settings import Settings

    wanted = Settings.from_environment(os.environ)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return protocol.ConnectionWatch(
        protocol.ConnectionLimits(
            header_bytes=wanted.max_header_bytes,
            headers=wanted.max_headers,
            header_seconds=wanted.header_timeout_seconds,
            body_idle_seconds=wanted.body_idle_seconds,
            keep_alive_seconds=wanted.keep_alive_seconds,
            # the rest is for files that are none
            connections=min(wanted.max_connections, max(files - 64, 1)),
        ),
        refused=_count_refusal,
        entry=entry,
        shed=_shed,
        shed_from=LARGE_BODY,
    )


def _shed(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Message | None:
    message: Message | None = get_current_service().application.shed(headers, body)
    return message


def _count_refusal(reason: str) -> None:
    # there is no service yet when the watch is made
    get_current_service().metrics.rejected(reason)


class _Gateway:
    """Stands where BentoML's middleware stood, from the moment the server starts."""

    def __init__(self, app: ASGIApp) -> None:
        self._bentoml = app
        self._outermost: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/schema.json":
            await get_current_service().entry(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            from valence.service.server import protocol
            from valence.service.server.event_loop import Loop

            # what BentoML has around this does nothing that is asked for
            watch = scope["state"][protocol.STATE] = _connection_watch(self)
            loop = asyncio.get_running_loop()
            if isinstance(loop, Loop):
                loop.door = watch
            self._outermost = scope["app"]
            scope["app"].middleware_stack = self
        scope["app"] = self._outermost
        await self._bentoml(scope, receive, send)


# uvicorn waits for ever for headers and bodies, and accepts one connection a turn; it looks its
# protocol and loop up here, in the worker only
uvicorn.config.HTTP_PROTOCOLS["auto"] = "valence.service.server.early_rejection:SheddingProtocol"
uvicorn.config.LOOP_FACTORIES["auto"] = "valence.service.server.event_loop:loop_factory"
Valence.add_asgi_middleware(_Gateway)  # type: ignore[attr-defined]
