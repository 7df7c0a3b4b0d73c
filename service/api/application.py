"""The ASGI application: every request in, exactly one answer out, counted and logged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from valence.service.api import pages
from valence.service.api.dialects import sagemaker, vllm
from valence.service.api.dialects.huggingface import routes as huggingface
from valence.service.api.dialects.open_inference import routes as open_inference
from valence.service.api.http.authorization import Access
from valence.service.api.http.body_limits import BodyLimits
from valence.service.api.http.disconnect import ClientGone
from valence.service.api.http.problems import Problem, describe, problem_json
from valence.service.api.http.request import Request
from valence.service.api.http.router import Router
from valence.service.api.http.routes import API_HEADERS, Context, Route
from valence.service.api.operations import health
from valence.service.api.v1 import activations, classification, models, stream
from valence.service.inference.models import Models, Phase
from valence.service.observability import tracing
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.request_record import RequestRecord
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
    *open_inference.ROUTES,
    *sagemaker.ROUTES,
    *health.ROUTES,
    *pages.ROUTES,
)

# the route in logs and metrics of a request that no route matched
_UNMATCHED = "unmatched"
_ANY = "any"
# nginx's name for it; nobody receives it, the log does
_CLIENT_GONE = 499


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
            lambda characters, texts: context.models.require_room(
                characters=characters,
                texts=texts,
                within_seconds=settings.request_timeout_seconds,
            ),
        )
        self._access = Access(context.settings, context.log)

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

    def _account(
        self,
        request: Request,
        route: Route | None,
        method: str,
        status: int,
        *,
        span: Span | None,
        trace_id: str,
    ) -> None:
        """Write an answered request into the metrics, the log and its span."""
        seconds = time.perf_counter() - request.arrived
        method = method if route else _ANY
        template = route.path if route else _UNMATCHED
        record = RequestRecord(
            method=method,
            route=template,
            status=status,
            seconds=seconds,
            request_id=request.id,
            model=request.model,
            version=request.version,
            texts=request.texts,
            tokens=request.tokens,
            key=request.key,
            trace_id=trace_id,
            stages=request.stages._asdict() if span is not None and request.stages else None,
        )
        self.context.metrics.count_request(record)
        if route is None or route.logged:
            self.context.log.request(record)
        if span is not None and self._tracer is not None:
            self._tracer.finish(span, record)

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
            return None, parent and tracing.child_context(parent)
        span = self._tracer.start(parent, method=route.method)
        return span, tracing.span_context(span)

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
        self.context.metrics.count_rejection(problem.kind.slug)
        if problem.kind.status == 500:
            self.context.log.failure("unexpected error", error, request_id=request.id)
        return problem
