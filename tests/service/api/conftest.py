"""The API on an engine whose answers a test can compute, without BentoML and without a socket."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from service.api.application import Application, create_app
from service.classifier.artifact import Artifact
from service.classifier.classifier import Classifier
from service.inference.batcher import QueueLimits
from service.inference.models import Models
from service.inference.scorer import Scorer
from service.log import Log
from service.metrics import Metrics
from service.settings import Settings


@dataclass
class Served:
    """An application under test and everything behind it."""

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


Serve = Callable[..., Served]


@pytest.fixture
async def serve(tiny_artifact: Artifact, counting_engine: Any) -> AsyncIterator[Serve]:
    """Make an application of settings.

    ``engine``, ``artifact`` and ``opened=False`` change what is behind it.
    """
    clients = []

    def make(
        *,
        engine: Any = counting_engine,
        artifact: Artifact = tiny_artifact,
        opened: bool = True,
        tracer: Any = None,
        **fields: Any,
    ) -> Served:
        settings, metrics, models = Settings(**fields), Metrics(version="test"), Models()
        logged = io.StringIO()
        log = Log(logged)
        app = create_app(settings=settings, models=models, metrics=metrics, log=log, tracer=tracer)
        scorer = Scorer(
            Classifier(artifact),
            engine,
            limits=QueueLimits(settings.queue_items, settings.queue_tokens),
            worker=ThreadPoolExecutor(1),
            metrics=metrics,
        )
        if opened:
            models.open([scorer])
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://valence"
        )
        clients.append(client)
        return Served(app, client, models, metrics, engine, log, logged)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def served(serve: Serve) -> Served:
    """The application with default settings."""
    return serve()
