"""The API on an engine with computable answers, without BentoML and without a socket."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from valence.service.api.application import Application, create_app
from valence.service.api.http.routes import Route
from valence.service.api.operations import openapi
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.errors import MethodNotAllowed, UnknownPath
from valence.service.inference.admission import QueueLimits
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings


@dataclass
class Served:
    """An application under test and the objects behind it."""

    app: Application
    client: httpx.AsyncClient
    models: Models
    metrics: Metrics
    engine: Any
    log: Log
    logged: io.StringIO = field(repr=False)

    def lines(self) -> list[dict[str, Any]]:
        self.log.flush()
        return [json.loads(line) for line in self.logged.getvalue().splitlines()]

    async def classify(self, **fields: object) -> httpx.Response:
        return await self.client.post("/v1/classify", json=fields)


@functools.cache
def _paths(routes: tuple[Route, ...]) -> dict[str, Any]:
    # the documented statuses depend on no setting
    paths: dict[str, Any] = openapi.build_document(routes, Settings())["paths"]
    return paths


def documented(app: Application) -> ASGIApp:
    """Wrap ``app`` so that the test fails on a status that the route's document does not list."""
    paths = _paths(app.context.routes)

    async def checked_app(scope: Scope, receive: Receive, send: Send) -> None:
        statuses = []

        async def recording_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(str(message["status"]))
            await send(message)

        await app(scope, receive, recording_send)
        with contextlib.suppress(UnknownPath, MethodNotAllowed):
            route, _ = app._router.find(scope["method"], scope["path"])
            if route in app.context.routes:  # a route that a test added has no document
                known = paths[route.path][route.method.lower()]["responses"]
                unknown = [status for status in statuses if status not in known]
                assert not unknown, f"{unknown} of {route.method} {route.path} is not documented"

    return checked_app


Serve = Callable[..., Served]


@pytest.fixture
async def serve(tiny_artifact: Artifact, counting_engine: Any) -> AsyncIterator[Serve]:
    """Return a function that makes an application from settings.

    ``engine``, ``artifact`` and ``opened=False`` replace the objects behind it.
    """
    clients, writers = [], []

    def make(
        *,
        engine: Any = counting_engine,
        artifact: Artifact = tiny_artifact,
        opened: bool = True,
        tracer: Any = None,
        **fields: Any,
    ) -> Served:
        settings, metrics = Settings(**fields), Metrics(version="test")
        models = Models(hung_seconds=settings.hung_seconds)
        logged = io.StringIO()
        log = Log(logged)
        worker = ThreadPoolExecutor(1)
        reloads = Reloads(ModelLoader(settings, worker, metrics, log), models)
        app = create_app(
            settings=settings,
            models=models,
            metrics=metrics,
            log=log,
            tracer=tracer,
            reloads=reloads,
        )
        scorer = Scorer(
            Classifier(artifact),
            engine,
            limits=QueueLimits.of(settings),
            worker=worker,
            metrics=metrics,
        )
        if opened:
            models.open([scorer])
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=documented(app)), base_url="http://valence"
        )
        clients.append(client)
        if app.context.feedback is not None:
            writers.append(app.context.feedback)
        return Served(app, client, models, metrics, engine, log, logged)

    yield make
    for client in clients:
        await client.aclose()
    for writer in writers:
        await writer.close()


@pytest.fixture
def served(serve: Serve) -> Served:
    """Return the application with default settings."""
    return serve()
