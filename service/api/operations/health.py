"""What a cluster and a client's generator ask: health, metrics, the OpenAPI document."""

from __future__ import annotations

import asyncio
import functools

import pydantic_core
from pydantic import BaseModel
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Handler, Operation, Route
from valence.service.api.operations import openapi
from valence.service.inference.models import Phase
from valence.service.observability import metrics
from valence.service.settings import Settings


class Health(BaseModel):
    """Where the process is in its life."""

    status: str


async def live(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /livez``: 503 only for what a restart mends."""
    if not context.models.alive:
        raise errors.Unavailable("an engine has hung; restart this process")
    return _health("alive")


async def ready(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /readyz``: 503 until the models are loaded and warm, and while draining."""
    context.models.require_serving()
    if context.models.phase is Phase.LEAVING:
        raise errors.Unavailable("the service is draining; send requests elsewhere")
    return _health("ready")


async def expose(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /metrics``."""
    context.models.report()
    context.metrics.ready = context.models.phase is Phase.SERVING
    context.metrics.flush()
    # with several workers it reads their files
    text = await asyncio.to_thread(context.metrics.exposition)
    return Outcome(Response(text, media_type=metrics.CONTENT_TYPE))


async def describe(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /openapi.json``."""
    return Outcome(Response(_document(context.routes, context.settings)))


@functools.lru_cache(maxsize=1)
def _document(routes: tuple[Route, ...], settings: Settings) -> bytes:
    return pydantic_core.to_json(openapi.document(routes, settings))


def _health(status: str) -> Outcome:
    return Outcome(Response(pydantic_core.to_json({"status": status})))


_HEALTH = "503 with a problem as its body when it is not."


def _probe(path: str, handler: Handler, *, status: str, summary: str, description: str) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        logged=False,
        # a cluster's probes bring no key
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


ROUTES = (
    _probe(
        "/livez",
        live,
        status="alive",
        summary="Is the process alive?",
        description=f"For a liveness probe. {_HEALTH}",
    ),
    _probe(
        "/healthz",
        live,
        status="alive",
        summary="Is the process alive?",
        description="The same as /livez.",
    ),
    _probe(
        "/readyz",
        ready,
        status="ready",
        summary="Are the models loaded and warm?",
        description=f"For a readiness probe. {_HEALTH}",
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=expose,
        logged=False,
        operation=Operation(
            summary="Metrics for Prometheus",
            description="In the text format.",
            tag="operations",
            response="text/plain",
        ),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=describe,
        open=True,
        operation=Operation(
            summary="This document",
            description="OpenAPI 3.1.",
            tag="operations",
            response="application/json",
        ),
    ),
)
