"""Routes for operators and client generators: probes, metrics, the OpenAPI document."""

from __future__ import annotations

import asyncio
import contextlib
import functools

import pydantic_core
from pydantic import BaseModel
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Handler, Operation, Route
from valence.service.api.operations import openapi
from valence.service.api.operations.forwarded_prefix import read_prefix
from valence.service.inference.models import Phase
from valence.service.observability import metrics
from valence.service.settings import Settings


class Health(BaseModel):
    """The state of the process."""

    status: str


async def check_liveness(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /livez``: 503 only for a failure that a restart repairs."""
    if not context.models.alive:
        raise errors.Unavailable("an engine has hung; restart this process")
    return _status("alive")


async def check_readiness(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /readyz``: 503 before the models are loaded and warm, and while draining."""
    context.models.require_serving()
    if context.models.phase is Phase.LEAVING:
        raise errors.Unavailable("the service is draining; send requests elsewhere")
    return _status("ready")


async def show_metrics(context: Context, request: Request) -> Outcome:
    """Answer ``GET /metrics``."""
    context.models.report()
    context.metrics.ready = context.models.phase is Phase.SERVING
    context.metrics.flush()
    # with several workers this reads the files of all workers
    text = await asyncio.to_thread(context.metrics.exposition)
    # it counts until it is read, but is not refused: who looks after the service needs it most then
    with contextlib.suppress(errors.Overloaded):
        request.body.hold(len(text))
    return Outcome(Response(text, media_type=metrics.CONTENT_TYPE))


async def show_document(context: Context, request: Request) -> Outcome:
    """Answer ``GET /openapi.json``; behind a proxy with its path as the server."""
    document, rest = _document(context.routes, context.settings)
    prefix = read_prefix(request.headers)
    if prefix:
        servers = pydantic_core.to_json({"servers": [{"url": prefix}]})
        return Outcome(Response(b"%b," % servers[:-1], rest=rest))
    return Outcome(Response(document))


@functools.lru_cache(maxsize=1)
def _document(routes: tuple[Route, ...], settings: Settings) -> tuple[bytes, bytes]:
    """The document, and what follows its first character."""
    document = pydantic_core.to_json(openapi.build_document(routes, settings))
    return document, document[1:]


def _status(status: str) -> Outcome:
    return Outcome(Response(pydantic_core.to_json({"status": status})))


_HEALTH = "Otherwise the status is 503, with a problem as the body."


def _probe_route(
    path: str, handler: Handler, *, status: str, summary: str, description: str
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        logged=False,
        # the probes of a cluster do not have an API key
        open=True,
        operation=Operation(
            summary=summary,
            description=description,
            tag="operations",
            response=Health,
            response_examples={status: {"status": status}},
            errors=(errors.Unavailable,),
        ),
    )


# the routes of the port of VALENCE_ADMIN_PORT
ADMIN_ROUTES = (
    _probe_route(
        "/livez",
        check_liveness,
        status="alive",
        summary="Is the process alive?",
        description=f"For liveness probes. {_HEALTH}",
    ),
    _probe_route(
        "/healthz",
        check_liveness,
        status="alive",
        summary="Is the process alive?",
        description="The same as /livez.",
    ),
    _probe_route(
        "/readyz",
        check_readiness,
        status="ready",
        summary="Are the models loaded and warm?",
        description=f"For readiness probes. {_HEALTH}",
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=show_metrics,
        logged=False,
        scope="metrics",
        operation=Operation(
            summary="Metrics for Prometheus",
            description="The metrics in the text format of Prometheus.",
            tag="operations",
            response="text/plain",
        ),
    ),
)
ROUTES = (
    *ADMIN_ROUTES,
    Route(
        method="GET",
        path="/openapi.json",
        handler=show_document,
        open=True,
        operation=Operation(
            summary="This document",
            description="The contract of this API in OpenAPI 3.1. Behind a proxy that removes a "
            "part of the path and says so in `X-Forwarded-Prefix`, `servers` has that part.",
            tag="operations",
            response="application/json",
        ),
    ),
)
