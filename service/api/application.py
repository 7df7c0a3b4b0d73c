"""The ASGI application: every request in, exactly one answer out, counted and logged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from valence.service.api import pages
from valence.service.api.dialects import huggingface, sagemaker, vllm
from valence.service.api.dialects.open_inference import routes
from valence.service.api.http.authorization import Access
from valence.service.api.http.body_limits import BodyLimits
from valence.service.api.http.disconnect import ClientGone
from valence.service.api.http.problems import Problem, describe, problem_json
from valence.service.api.http.request import TIMEOUT_HEADERS, Request
from valence.service.api.http.router import Router
from valence.service.api.http.routes import API_HEADERS, Context, Route
from valence.service.api.operations import health
from valence.service.api.v1 import activations, classification, models, stream
from valence.service.errors import Overloaded
from valence.service.inference.models import Models, Phase
from valence.service.observability import tracing
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.tracing import TraceContext, Tracer
from valence.service.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span

ROUTES: tuple[Route, ...] = (
    *classification.ROUTES,
    *activations.ROUTES,
    *stream.ROUTES,
    *models.ROUTES,
    *huggingface.ROUTES,
    *vllm.ROUTES,
    *routes.ROUTES,
    *sagemaker.ROUTES,
    *health.ROUTES,
    *pages.ROUTES,
)

# the route in logs and metrics of a request that no route matched
_UNMATCHED = "unmatched"
_ANY = "any"
_JSON = b"application/json"
# nginx's name for it; nobody receives it, the log does
_CLIENT_GONE = 499
# a refusal of a request with one of these takes more than to say that there is no room
_ASK_FOR_MORE = {b"content-encoding", b"traceparent", *TIMEOUT_HEADERS}


def create_app(
    *,
    settings: Settings,
    models: Models,
    metrics: Metrics,
    log: Log,
    tracer: Tracer | None = None,
) -> Application:
    """The whole API on ``models``; with a ``tracer``, requests are traced."""
    return Application(Context(settings, models, metrics, log, ROUTES), tracer)


def allow_origins(application: Application) -> ASGIApp:
    """``application`` for pages of the origins in its settings; itself if there are none."""
    origins = application.context.settings.cors_origins
    if not origins:
        return application
    return CORSMiddleware(
        application,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=("Retry-After", "X-Request-ID"),
    )


class Application:
    """Serves a context's routes."""

    def __init__(self, context: Context, tracer: Tracer | None = None) -> None:
        self.context = context
        self._tracer = tracer
        self._router = Router(context.routes)
        settings = context.settings
        self._bodies = BodyLimits(
            settings.max_body_bytes,
            settings.body_memory_bytes,
            settings.body_idle_seconds,
            self._require_room,
        )
        self._access = Access(context.settings, context.log)
        # what every request is asked, or is told, beside its answer
        self._asks_of_all = bool(self._access.required or tracer or settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; never raises but when it is cancelled from outside."""
        request = Request(scope, receive, limits=self._bodies)
        route: Route | None = None
        status = _CLIENT_GONE
        identification = self._identification(request)
        headers: tuple[tuple[bytes, bytes], ...] = API_HEADERS
        span, trace_id = None, ""

        async def send_identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # not in place: some answers begin with a message they share
                message = {
                    **message,
                    "headers": [*message["headers"], *identification, *headers],
                }
            await send(message)

        metrics = self.context.metrics
        metrics.in_flight += 1
        try:
            try:
                route, request.parameters = self._router.find(scope["method"], scope["path"])
                headers = route.headers
                if request.traceparent or self._tracer is not None:
                    span, traced = self._trace(request, route)
                    if traced is not None:
                        trace_id = traced.trace_id
                        identification.append((b"traceparent", traced.header))
                if not route.open:
                    self._access.admit(request)
                answer = await route.handler(self.context, request)
            except ClientGone:
                return
            except Exception as error:
                problem = self._problem(error, request)
                answer = (route.refuse if route else problem_json)(problem, request.id)
            try:
                await answer(scope, receive, send_identified)
            except Exception as error:
                status = self._cut_short(error, request, status)
        finally:
            metrics.in_flight -= 1
            request.release()
            self._account(request, route, scope["method"], status, span=span, trace_id=trace_id)

    def shed(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Message | None:
        """The whole answer to a plain ``POST /v1/classify`` of ``body`` that there is no room for.

        None if there is, and for every request of which more is to be said: :meth:`__call__` knows
        the same answer, and all others.
        """
        if self._asks_of_all or self.context.models.phase is not Phase.SERVING:
            return None
        try:
            self._require_room(body)
            return None
        except Overloaded as error:
            request = Request({"headers": headers}, _hung_up, limits=self._bodies)
            given = request.headers
            if given.get(b"content-type") != _JSON or not given.keys().isdisjoint(_ASK_FOR_MORE):
                return None
            problem = self._problem(error, request)
        answer = classification.ROUTE.refuse(problem, request.id)
        self._account(request, classification.ROUTE, classification.ROUTE.method, answer.status)
        identification = self._identification(request)
        return {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, *identification, *classification.ROUTE.headers],
            "body": answer.body,
        }

    def _require_room(self, body: bytes) -> None:
        """Raise :class:`Overloaded` if ``body`` is large and the default model has no room."""
        models = self.context.models
        if models.phase is Phase.SERVING:
            models.get().admission.require_room_for_body(
                body, within_seconds=self.context.settings.request_timeout_seconds
            )

    def _account(
        self,
        request: Request,
        route: Route | None,
        method: str,
        status: int,
        *,
        span: Span | None = None,
        trace_id: str = "",
    ) -> None:
        """Write an answered request into the metrics, the log and its span."""
        seconds = time.perf_counter() - request.arrived
        method = method if route else _ANY
        template = route.path if route else _UNMATCHED
        metrics = self.context.metrics
        metrics.request(
            route=template,
            method=method,
            status=status,
            model=request.model,
            version=request.version,
            seconds=seconds,
        )
        if request.key:
            metrics.by_key(request.key, texts=request.texts)
        if route is None or route.logged:
            self.context.log.request(
                request_id=request.id,
                method=method,
                route=template,
                status=status,
                seconds=seconds,
                model=request.model,
                texts=request.texts,
                tokens=request.tokens,
                trace_id=trace_id,
                key=request.key,
            )
        if span is not None and self._tracer is not None:
            self._tracer.finish(
                span,
                method=method,
                route=template,
                status=status,
                model=request.model,
                texts=request.texts,
                tokens=request.tokens,
                stages=request.stages._asdict() if request.stages else None,
            )

    def _identification(self, request: Request) -> list[tuple[bytes, bytes]]:
        """The headers of every answer to ``request``."""
        headers = [(b"x-request-id", request.id.encode())]
        if self.context.models.phase is Phase.LEAVING:
            # the next request is to find another replica
            headers.append((b"connection", b"close"))
        return headers

    def _trace(self, request: Request, route: Route) -> tuple[Span | None, TraceContext | None]:
        """A span for the request, if spans are made, and the context its answer carries."""
        parent = tracing.parse(request.traceparent)
        if self._tracer is None or not route.logged:
            return None, parent and tracing.below(parent)
        span = self._tracer.start(parent, method=route.method)
        return span, tracing.context_of(span)

    def _cut_short(self, error: Exception, request: Request, status: int) -> int:
        """The status to log of an answer that had begun, so that it cannot become a problem.

        The server cuts the connection, which tells the client that the answer is not whole.
        """
        if isinstance(error, ClientGone):
            return _CLIENT_GONE
        self.context.log.failure("answer cut short", error, request_id=request.id)
        return status

    def _problem(self, error: Exception, request: Request) -> Problem:
        problem = describe(error)
        self.context.metrics.rejected(problem.kind.slug)
        if problem.kind.status == 500:
            self.context.log.failure("unexpected error", error, request_id=request.id)
        return problem


async def _hung_up() -> Message:
    """What there is to receive of a request whose body is taken already."""
    return {"type": "http.disconnect"}
