"""The BentoML service: load the models, answer with our own ASGI application, drain.

BentoML builds, ships and starts the service, and answers ``/schema.json``, from which its clients
learn how to call ``classify``. Our application answers all other requests
(:mod:`valence.service.server.gateway`).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml import get_current_service
from pydantic import BaseModel, ConfigDict
from valence.service.machine.garbage import spare_loaded_objects
from valence.service.server import gateway, supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from starlette.types import ASGIApp
    from valence.service.api.application import Application
    from valence.service.api.grpc.server import CallServer
    from valence.service.inference.scorer import Scorer
    from valence.service.observability.line_writer import LineWriter
    from valence.service.observability.log import Log
    from valence.service.sampling.writer import SampleWriter
    from valence.service.server.admin import AdminServer
    from valence.service.server.connection_limits import ConnectionLimiter, ConnectionLimits
    from valence.service.server.gateway import PortServer
    from valence.service.settings import Settings

_NAME = "valence"
# a kubelet and a few scrapers keep some each
_ADMIN_CONNECTIONS = 32
# how often a worker measures its gauges and shares them with the other workers
_GAUGE_SECONDS = 0.5
# how long the end of a process waits for its last lines to be read
_LAST_LINES_SECONDS = 1.0


class Input(BaseModel):
    """The fields of a request in ``/schema.json``; the application validates them itself."""

    # BentoML would name the schema after a class that it derives from this one.
    model_config = ConfigDict(title="Input")

    text: Any = None
    texts: Any = None
    id: Any = None
    ids: Any = None
    model: Any = None
    top_k: Any = None
    min_confidence: Any = None
    unreadable: Any = None
    truncation: Any = None
    granularity: Any = None
    explain: Any = None


def _count_workers() -> int:
    """The workers that the settings name; 1 for settings that :meth:`Valence.check` refuses."""
    from valence.service.errors import ConfigurationError
    from valence.service.settings import Settings

    try:
        return Settings.from_environment(os.environ).workers
    except ConfigurationError:
        return 1


@bentoml.service(name=_NAME, workers=_count_workers())
class Valence:
    """Text classifiers behind ``POST /v1/classify``."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from valence.service import settings, version
        from valence.service.api.application import allow_origins, create_app
        from valence.service.api.operations import health
        from valence.service.inference.cache import AnswerCache
        from valence.service.inference.model_loader import ModelLoader
        from valence.service.inference.models import Models
        from valence.service.inference.reload.reloads import Reloads
        from valence.service.inference.shadow.shadow import Shadow
        from valence.service.inference.split import Split
        from valence.service.observability import (
            library_log,
            log,
            metrics,
            metrics_folder,
            tracing,
        )

        self.settings = settings.Settings.from_environment(os.environ)
        if self.settings.model_source:
            from valence.service.sources import follower

            follower.enter_store(self.settings)
        self.metrics = metrics.Metrics(version=version.VERSION, folder=metrics_folder.enter())
        self._lines = _line_writer(sys.stdout, self.metrics.count_dropped_lines)
        self.log = log.Log(self._lines, access=self.settings.access_log)
        library_log.install(self.log)
        atexit.register(self._write_last_lines)
        self.models = Models(
            hung_seconds=self.settings.hung_seconds,
            splits=[Split(name, dict(weights)) for name, weights in self.settings.split],
        )
        self._tracer = tracing.Tracer() if tracing.is_enabled(os.environ) else None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._shadows = [
            Shadow(rule, self.models, self.metrics, self.log) for rule in self.settings.shadow
        ]
        self._sample = _make_sample_writer(self.settings, self.log)
        memory = self.settings.cache_bytes
        self._loader = ModelLoader(
            self.settings,
            self._worker,
            self.metrics,
            self.log,
            AnswerCache(max_bytes=memory) if memory else None,
            {shadow.rule.model: shadow.observe for shadow in self._shadows},
            self._sample,
        )
        self._reloads = Reloads(self._loader, self.models)
        self._ready = asyncio.Event()
        self.application = create_app(
            settings=self.settings,
            models=self.models,
            metrics=self.metrics,
            log=self.log,
            tracer=self._tracer,
            reloads=self._reloads,
        )
        self.entry = allow_origins(self.application)
        self.admin = self.application.restrict(health.ADMIN_ROUTES)
        self.calls = _make_call_server(
            self.application, self._ready if self.metrics.shared else None
        )
        # Loading runs in a thread while BentoML goes on to start the server.
        self._loaded: Future[list[Scorer]] = self._worker.submit(self._load)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Check settings, keys and seals of the models before any worker exists.

        Workers start after this check. Further imports, or reading the weights, would delay the
        start of the service.
        """
        from valence.service import settings
        from valence.service.classifier import seal
        from valence.service.errors import ValenceError
        from valence.service.keys import key_file
        from valence.service.machine import cores
        from valence.service.observability import metrics_folder
        from valence.service.registry import models
        from valence.service.server import port

        try:
            checked = settings.Settings.from_environment(os.environ)
            if checked.api_keys_file:
                key_file.require_keys(Path(checked.api_keys_file))
            elif not checked.allow_anonymous:
                key_file.require_unless_loopback(supervisor.listening_host())
            host = supervisor.listening_host()
            port.require_free(host, supervisor.listening_port(), option="--port")
            port.require_free(host, checked.admin_port, option="VALENCE_ADMIN_PORT")
            if checked.grpc_port:
                port.require_grpc()
                port.require_free(host, checked.grpc_port, option="VALENCE_GRPC_PORT")
            if checked.engine.startswith("native"):
                from valence.service.inference.engines import factory

                factory.require(checked.engine)
            if checked.model_source:
                from valence.service.sources import follower

                follower.enter_store(checked)
                for fault in follower.fill_store(checked):
                    sys.stderr.write(f"warning: {fault}; the copy of before is served\n")
            for folder in models.folders(checked):
                seal.verify(folder)
            if checked.feedback_database:
                _prepare_feedback(checked)
        except ValenceError as error:
            supervisor.refuse_to_start(error)
        workers = supervisor.worker_count(_NAME)
        if workers > 1:
            metrics_folder.create()
            cores.share_threads(workers)
            # BentoML may have been told another number; the workers inherit it
            os.environ[f"{settings.PREFIX}WORKERS"] = str(workers)
        lines = _error_writer()

        def tell(line: str) -> None:
            lines.write(f"{line}\n")
            lines.drain(_LAST_LINES_SECONDS)

        supervisor.supervise_workers(
            workers,
            hung_seconds=checked.hung_seconds,
            grace_seconds=checked.drain_seconds + checked.grace_seconds,
            tell=tell,
        )

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Let the models load while the server answers 503: health is reported from the start."""
        from valence.service.server import heartbeat, sigterm
        from valence.service.server.event_loop import BatchAcceptLoop

        loop = asyncio.get_running_loop()
        if self.metrics.shared and isinstance(loop, BatchAcceptLoop):
            loop.ready, loop.sharers = self._ready, self.settings.workers
        heartbeat.send_heartbeats(
            hung_seconds=self.settings.hung_seconds, is_alive=self._is_worth_keeping
        )
        self._loading = asyncio.create_task(self._finish_loading())
        self._following = asyncio.create_task(self._follow_store())
        self._pulling = asyncio.create_task(self._follow_source())
        self._agreeing = asyncio.create_task(self._follow_workers())
        self._sharing = asyncio.create_task(self._share_gauges())
        self._measuring = asyncio.create_task(self._measure_saturation())
        if self.application.context.feedback is not None:
            self.application.context.feedback.start()
        # The server waits for all requests before it calls ``drain``, so streams are told to end
        # at the signal itself.
        sigterm.call_at_sigterm(self._end)
        if self.settings.drain_seconds:
            sigterm.delay_sigterm(self.settings.drain_seconds, self.models.leave)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def drain(self) -> None:
        """Answer the requests that were admitted."""
        self._loading.cancel()
        self._following.cancel()
        self._pulling.cancel()
        self._agreeing.cancel()
        self._reloads.close()
        if self.calls is not None:
            await self.calls.drain()
        for shadow in self._shadows:
            await shadow.close()
        await self.models.close()
        if self.application.context.feedback is not None:
            await self.application.context.feedback.close()
        if self._sample is not None:
            await self._sample.close()
        self._sharing.cancel()
        self._measuring.cancel()
        self.log.flush()
        if self._tracer is not None:
            # in a thread, because it waits for the collector while this loop sends its last answers
            await asyncio.to_thread(self._tracer.close)

    @bentoml.api(route="/v1/classify", input_spec=Input)  # type: ignore[untyped-decorator]
    async def classify(self, **fields: Any) -> Any:
        """Label one text or several, as POST /v1/classify does, for BentoML's own schema."""
        from valence.service.api.v1.classification import classify_in_process

        return await classify_in_process(
            self.application.context, {k: v for k, v in fields.items() if v is not None}
        )

    def _end(self) -> None:
        """Tell streams to end, and take no more calls, as the server takes no more requests."""
        self.models.ending.set()
        if self.calls is not None:
            self.calls.leave()

    def _is_worth_keeping(self) -> bool:
        """False for one of several workers whose engine has hung: only it is replaced.

        Of the only worker a probe learns that, and decides.
        """
        return self.models.alive or not self.metrics.shared

    async def _share_gauges(self) -> None:
        """Let the other workers know what the gauges of this one say: they may be scraped."""
        from valence.service.inference.models import Phase

        while self.metrics.shared:
            self.models.report()
            self.metrics.ready = self.models.phase is Phase.SERVING
            self.metrics.set_gauges()
            await asyncio.sleep(_GAUGE_SECONDS)

    async def _measure_saturation(self) -> None:
        """Measure how full this worker is from when its models are loaded: loading is no load."""
        from valence.service.observability.metrics import Saturation

        # the engine's thread answers once it has loaded the models
        engine = await asyncio.wrap_future(self._worker.submit(threading.get_native_id))
        saturation = Saturation((threading.get_native_id(), engine))
        while True:
            self.metrics.saturation = saturation.measure(
                answered=self.metrics.answered, refused=self.metrics.refused
            )
            await asyncio.sleep(_GAUGE_SECONDS)

    def _write_last_lines(self) -> None:
        self.log.flush()
        self._lines.drain(_LAST_LINES_SECONDS)

    async def _finish_loading(self) -> None:
        from valence.service.errors import ValenceError
        from valence.service.server import announcement

        try:
            scorers = await asyncio.wrap_future(self._loaded)
            # a future that keeps its result would keep the memory of replaced models
            del self._loaded
            self.models.add(scorers)
            await self._reloads.look()
            self.models.open()
            self._ready.set()
        except Exception as error:
            try:
                if isinstance(error, ValenceError):
                    self.log.event("error", "not started", reason=str(error))
                else:
                    self.log.failure("not started", error)
            finally:
                # An exception in this task would not end the process. ``finally``, because writing
                # the log may fail.
                self._write_last_lines()
                os._exit(supervisor.CANNOT_START)
        # how long the event loop and the thread of the engine wait for each other at most
        sys.setswitchinterval(0.0005)
        spare_loaded_objects()
        names = [scorer.name for scorer in scorers]
        del scorers
        await announcement.announce(names, _error_writer().write)

    async def _follow_store(self) -> None:
        await self._loading
        if self.settings.reload == "watch":
            await self._reloads.follow()

    async def _follow_source(self) -> None:
        await self._loading
        if self.settings.model_source and self.settings.reload == "watch":
            from valence.service.sources.follower import SourceFollower

            follower = SourceFollower(self.settings, self.metrics.sources, self.log)
            try:
                await follower.follow()
            finally:
                follower.close()

    async def _follow_workers(self) -> None:
        """Reload what another worker was told to reload."""
        await self._ready.wait()
        while self.metrics.shared:
            await asyncio.sleep(_GAUGE_SECONDS)
            await self._reloads.follow_marks()

    def _load(self) -> list[Scorer]:
        from valence.service.registry import models

        return [self._loader.load(folder) for folder in models.folders(self.settings)]


def _prepare_feedback(settings: Settings) -> None:
    """Bring the feedback database up to date, and let the workers have the key of the ids.

    Raises :class:`ConfigurationError`.
    """
    from valence.service.errors import ConfigurationError
    from valence.service.settings import PREFIX

    try:
        from valence.service.feedback.store import Store
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{PREFIX}FEEDBACK_DATABASE needs the package {error.name}, which is not installed: "
            "pip install 'valence[feedback]'"
        ) from None
    store = Store.open(settings.feedback_database)
    try:
        store.prepare()
        key = settings.feedback_key or store.key().hex()
    finally:
        store.close()
    os.environ[f"{PREFIX}FEEDBACK_KEY"] = key


def _make_sample_writer(settings: Settings, log: Log) -> SampleWriter | None:
    """What keeps a sample of texts, if the operator wants one; only then it is imported."""
    if not settings.sample_texts:
        return None
    from valence.service.sampling.sample import SAMPLE_REASONS
    from valence.service.sampling.store import SampleStore
    from valence.service.sampling.writer import SampleWriter

    return SampleWriter(
        lambda: SampleStore.open(settings.feedback_database),
        log,
        most=settings.sample_texts // len(SAMPLE_REASONS),
        days=settings.sample_days,
    )


def _line_writer(stream: Any, count_dropped: Callable[[int], None]) -> LineWriter:
    """A writer to a standard stream of this process, which drops all if the stream is closed."""
    from valence.service.observability.line_writer import LineWriter

    descriptor = None
    with contextlib.suppress(AttributeError, OSError):
        descriptor = stream.fileno()
    return LineWriter(descriptor, count_dropped)


def _error_writer() -> LineWriter:
    """A writer of lines for a person at a terminal; nobody counts those that nobody reads."""
    return _line_writer(sys.stderr, lambda lines: None)  # noqa: ARG005


def install_gateway(service: Any) -> None:
    """Have the workers of a BentoML service answer with its ``entry``, within the limits.

    ``service`` has an ASGI application ``entry`` and ``metrics``, as :class:`Valence` has.
    """
    gateway.install(
        service, application=_application, make_limiter=_make_limiter, make_ports=_make_ports
    )


def _application() -> ASGIApp:
    application: ASGIApp = get_current_service().entry
    return application


def _make_limiter(application: ASGIApp) -> ConnectionLimiter:
    """Make the limiter of a worker, before BentoML has created the service."""
    from valence.service.server.connection_limits import ConnectionLimiter
    from valence.service.settings import Settings

    settings = Settings.from_environment(os.environ)
    # keep 64 descriptors for model files, logs and pipes
    places = max(_raise_file_limit(settings.max_connections) - 64, 2)
    connections = min(settings.max_connections, places - 1)
    return ConnectionLimiter(
        _limits(settings, connections, max(min((places - connections) // 2, connections), 1)),
        _count_refusal,
        application=application,
    )


def _make_call_server(application: Application, ready: asyncio.Event | None) -> CallServer | None:
    """Make the server of gRPC, if the settings name its port; without one nothing is imported.

    It listens when ``ready`` is set, or at once without it.
    """
    settings = application.context.settings
    if not settings.grpc_port:
        return None
    from valence.service.api.grpc.server import ROUTES, CallServer

    application, context = application.restrict(ROUTES), application.context
    return CallServer(application, context, settings.grpc_port, ready)


def _make_ports() -> list[PortServer]:
    """The servers of the other ports that the settings name."""
    # another service with this gateway has no calls
    calls = getattr(get_current_service(), "calls", None)
    return [server for server in (_make_admin(), calls) if server is not None]


def _make_admin() -> AdminServer | None:
    """Make the server of the probes' own port, if the settings name one."""
    from valence.service.server.admin import AdminServer
    from valence.service.server.connection_limits import ConnectionLimiter
    from valence.service.settings import Settings

    settings = Settings.from_environment(os.environ)
    if not settings.admin_port:
        return None
    application = get_current_service().admin
    limits = _limits(settings, _ADMIN_CONNECTIONS, _ADMIN_CONNECTIONS)
    limiter = ConnectionLimiter(limits, _count_refusal, application=application)
    return AdminServer(application, settings.admin_port, limiter)


def _raise_file_limit(connections: int) -> int:
    """Let this process open files enough for ``connections``; return how many it may open.

    Each connection may have a successor while its client reads its last answer, and as many
    sockets may be refused.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * connections + 128
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def _limits(settings: Settings, connections: int, lingering: int) -> ConnectionLimits:
    from valence.service.server.connection_limits import ConnectionLimits

    return ConnectionLimits(
        header_bytes=settings.max_header_bytes,
        headers=settings.max_headers,
        header_seconds=settings.header_timeout_seconds,
        body_idle_seconds=settings.body_idle_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        connections=connections,
        lingering=lingering,
    )


def _count_refusal(reason: str) -> None:
    get_current_service().metrics.count_rejection(reason)


install_gateway(Valence)
# at the import, because a worker that still starts would serve on without its first process
supervisor.end_with_parent()
