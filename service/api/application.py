"""The ASGI application: each request gets exactly one answer, and is counted and logged."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from valence.service.api import pages
from valence.service.api.dialects import label_studio, vllm
from valence.service.api.dialects.detectors import routes as detectors
from valence.service.api.dialects.huggingface import routes as huggingface
from valence.service.api.dialects.open_inference import routes as open_inference
from valence.service.api.dialects.open_inference.problems import refuse as refuse_open_inference
from valence.service.api.dialects.sagemaker import routes as sagemaker
from valence.service.api.http.authorization import Access
from valence.service.api.http.body import BodyLimits, BodyReader
from valence.service.api.http.caller import ANONYMOUS
from valence.service.api.http.disconnect import ClientGone
from valence.service.api.http.outcome import ModelFailure, Outcome
from valence.service.api.http.problems import describe, problem_json
from valence.service.api.http.request import Request, request_id
from valence.service.api.http.response import Response
from valence.service.api.http.router import Router
from valence.service.api.http.routes import API_HEADERS, Context, Route
from valence.service.api.http.scoring import issue_id
from valence.service.api.operations import health
from valence.service.api.v1 import (
    activations,
    classification,
    feedback,
    models,
    monitor,
    reload,
    sample,
    stream,
)
from valence.service.feedback.group_writer import GroupWriter
from valence.service.feedback.prediction_id import Issuer
from valence.service.inference.admission import LARGE_BODY
from valence.service.inference.models import Models, Phase
from valence.service.inference.reload.reloads import Reloads
from valence.service.observability import tracing
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.request_record import RequestRecord
from valence.service.observability.tracing import TraceContext, Tracer
from valence.service.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from valence.service.feedback.store import Store

ROUTES: tuple[Route, ...] = (
    *classification.ROUTES,
    *feedback.ROUTES,
    *sample.ROUTES,
    *activations.ROUTES,
    *stream.ROUTES,
    *models.ROUTES,
    *monitor.ROUTES,
    *reload.ROUTES,
    *huggingface.ROUTES,
    *vllm.ROUTES,
    *detectors.ROUTES,
    *open_inference.ROUTES,
    *sagemaker.ROUTES,
    *label_studio.ROUTES,
    *health.ROUTES,
    *pages.ROUTES,
)

# Errors of paths that no route matches have the shape that the clients of these paths read.
_REFUSALS = (
    ("/v2/", refuse_open_inference),
    (detectors.PATHS, detectors.refuse),
    (label_studio.PATHS, label_studio.refuse),
)

# The route and the method, in logs and metrics, of a request that no route matches.
_UNMATCHED = "unmatched"
_ANY_METHOD = "any"
# of every answer to a text, as the API reference names it
_PREDICTION_ID = b"x-prediction-id"
# nginx's status for a client that has disconnected: the log has it, no client receives it.
_CLIENT_GONE = 499


def create_app(
    *,
    settings: Settings,
    models: Models,
    metrics: Metrics,
    log: Log,
    tracer: Tracer | None = None,
    reloads: Reloads | None = None,
) -> Application:
    """The whole API on ``models``; a ``tracer`` makes a span for each request.

    Without ``reloads`` the models stay as they are.
    """
    issuer = Issuer(bytes.fromhex(settings.feedback_key))
    context = Context(
        settings, models, metrics, log, ROUTES, reloads, issuer, _make_writer(settings, log)
    )
    return Application(context, tracer)


def _make_writer(settings: Settings, log: Log) -> GroupWriter | None:
    """What stores feedback, if a database is set; only then SQLAlchemy is imported."""
    if not settings.feedback_database:
        return None

    def open_store() -> Store:
        from valence.service.feedback.store import Store

        return Store.open(settings.feedback_database)

    return GroupWriter(open_store, log, days=settings.feedback_days)


def allow_origins(application: Application) -> ASGIApp:
    """``application`` for pages of the origins in its settings; unchanged without origins."""
    origins = application.context.settings.cors_origins
    if not origins:
        return application
    return CORSMiddleware(
        application,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=("Retry-After", "X-Prediction-ID", "X-Request-ID"),
    )


# what is accounted for before a handler has answered
_NO_OUTCOME = Outcome(Response(b""))


class _Exchange:
    """What the metrics, the log and the span say about one request, as far as it is known."""

    route: Route | None = None
    status = _CLIENT_GONE
    caller = ANONYMOUS
    trace_id = ""
    outcome = _NO_OUTCOME
    span: Span | None = None
    headers: list[tuple[bytes, bytes]]
    """The headers of this answer alone."""

    def __init__(self, headers: Mapping[bytes, bytes], method: str, path: str) -> None:
        self.arrived = time.perf_counter()
        self.id = request_id(headers)
        self.method = method
        self.path = path

    def identify(self, send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
        """A ``send`` that adds ``headers`` to the answer, and notes its status."""

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                # a copy, because some answers share the message
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        return send_identified


class Application:
    """Serves the routes of a context."""

    def __init__(self, context: Context, tracer: Tracer | None = None) -> None:
        self.context = context
        self._tracer = tracer
        self._router = Router(context.routes)
        self._bodies = BodyLimits.of(context.settings)
        self._access = Access(
            context.settings, context.log, context.metrics.keys, folder=context.metrics.folder
        )

    def restrict(self, routes: Sequence[Route]) -> Application:
        """An application with the keys, models and metrics of this one, for ``routes`` alone."""
        restricted = copy.copy(self)
        restricted._router = Router(routes)
        return restricted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises only when the task is cancelled from outside."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = _Exchange(headers, scope["method"], scope["path"])
        exchange.headers = self._identification(exchange.id)
        body = BodyReader(receive, headers, self._bodies, self._require_room)
        metrics = self.context.metrics
        metrics.in_flight += 1
        try:
            try:
                route, request = self._open(scope, headers, exchange, body)
                exchange.outcome = outcome = await route.handler(self.context, request)
                response = outcome.response
            except asyncio.CancelledError as error:
                if body.find_cause(error) is error:
                    raise
                return
            except Exception as error:
                failed = self._fail(error, exchange)
                if failed is None:
                    return
                response = failed
            finally:
                body.unwatch()
            added = [
                *exchange.headers,
                *(exchange.route.headers if exchange.route else API_HEADERS),
            ]
            outcome = exchange.outcome
            if outcome.prediction_id:
                added.append((_PREDICTION_ID, outcome.prediction_id.encode()))
            elif outcome.answers:
                added.append((_PREDICTION_ID, self._name_prediction(outcome).encode()))
            try:
                if isinstance(response, Response) and response.is_whole(scope):
                    # nearly every answer, without the steps in between
                    exchange.status = response.status
                    await send(response.message(added))
                else:
                    await response(scope, receive, exchange.identify(send, added))
            except Exception as error:
                self._record_break(error, exchange)
        finally:
            metrics.in_flight -= 1
            body.release()
            self._account(exchange)

    def _open(
        self, scope: Scope, headers: dict[bytes, bytes], exchange: _Exchange, body: BodyReader
    ) -> tuple[Route, Request]:
        """The route of a request, and the request for its handler, if the caller may use it.

        Raises what :meth:`Router.find` and :meth:`_admit` raise.
        """
        route, parameters = self._router.find(scope["method"], scope["path"])
        exchange.route = route
        traceparent = headers.get(b"traceparent", b"")
        if traceparent or self._tracer is not None:
            trace = self._trace(exchange, traceparent, route)
            if trace is not None:
                exchange.headers.append((b"traceparent", trace.header))
        if self._access.required and not route.open:
            self._admit(headers, exchange, route)
        if parameters:
            # the path names the model, which may be another than the default
            body.require_room = None
        query = scope.get("query_string", b"")
        return route, Request(
            exchange.id, headers, body, parameters, query, exchange.arrived, exchange.caller
        )

    def _name_prediction(self, outcome: Outcome) -> str:
        """The id of the prediction that ``outcome`` is, whose handler has made none."""
        return issue_id(self.context.issuer, outcome.model, outcome.version, outcome.answers)

    def _fail(self, error: Exception, exchange: _Exchange) -> Response | None:
        """The answer to a request that failed by ``error``; None for a client that is gone."""
        if isinstance(error, ModelFailure):
            exchange.outcome = _NO_OUTCOME._replace(model=error.model, version=error.version)
            error = error.error
        return None if isinstance(error, ClientGone) else self._refuse(error, exchange)

    def _admit(self, headers: Mapping[bytes, bytes], exchange: _Exchange, route: Route) -> None:
        """Find the caller of a request.

        Raises :class:`Unauthorized`, :class:`Forbidden` or :class:`RateLimited`.
        """
        exchange.caller = caller = self._access.identify(headers)
        caller.require_scope(route.scope)
        caller.admit()

    def _require_room(self, body: bytes) -> None:
        """Raise :class:`Overloaded` if ``body`` is large and the default model has no room."""
        models = self.context.models
        if len(body) > LARGE_BODY and models.phase is Phase.SERVING:
            models.get().admission.require_room_for_body(
                body, within_seconds=self.context.settings.request_timeout_seconds
            )

    def _account(self, exchange: _Exchange) -> None:
        """Write an answered request into the metrics, the log and its span."""
        route, span = exchange.route, exchange.span
        _, model, version, usage, stages, _, _ = exchange.outcome
        # by position, which costs half of what names cost
        record = RequestRecord(
            exchange.method if route else _ANY_METHOD,
            route.path if route else _UNMATCHED,
            exchange.status,
            time.perf_counter() - exchange.arrived,
            exchange.id,
            model,
            version,
            usage.texts,
            usage.tokens,
            exchange.caller.name,
            exchange.caller.charged_tokens,
            exchange.trace_id,
            stages._asdict() if span is not None and stages else None,
        )
        self.context.metrics.count_request(record)
        if route is None or route.logged:
            self.context.log.request(record)
        if span is not None and self._tracer is not None:
            self._tracer.finish(span, record)

    def _identification(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """The headers of every answer to the request of that id."""
        headers = [(b"x-request-id", request_id.encode())]
        if self.context.models.phase is Phase.LEAVING:
            # the client's next connection reaches another replica
            headers.append((b"connection", b"close"))
        return headers

    def _trace(self, exchange: _Exchange, traceparent: bytes, route: Route) -> TraceContext | None:
        """Start a span, if spans are made; return the trace context of the answer."""
        parent = tracing.parse(traceparent)
        if self._tracer is None or not route.logged:
            context = parent and tracing.child_context(parent)
        else:
            exchange.span = self._tracer.start(parent, method=route.method)
            context = tracing.span_context(exchange.span)
        if context is not None:
            exchange.trace_id = context.trace_id
        return context

    def _record_break(self, error: Exception, exchange: _Exchange) -> None:
        """Record an answer that broke off: it had begun, so it cannot become a problem.

        The server cuts the connection, which tells the client that the answer is incomplete.
        """
        if isinstance(error, ClientGone):
            exchange.status = _CLIENT_GONE
        else:
            self.context.log.failure("answer cut short", error, request_id=exchange.id)

    def _refuse(self, error: Exception, exchange: _Exchange) -> Response:
        """Count ``error``, log it if it is unexpected, and shape it for the client."""
        problem = describe(error)
        self.context.metrics.count_rejection(problem.kind.slug)
        if problem.kind.status == 500:
            self.context.log.failure("unexpected error", error, request_id=exchange.id)
        if exchange.route is not None:
            return exchange.route.refuse(problem, exchange.id)
        for prefix, refuse in _REFUSALS:
            if exchange.path.startswith(prefix):
                return refuse(problem, exchange.id)
        return problem_json(problem, exchange.id)
