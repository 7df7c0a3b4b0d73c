"""The whole application in this process, without a socket: requests are function calls."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from valence.service.api.application import create_app
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.admission import QueueLimits
from valence.service.inference.engines import factory
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings
from valence.training.registry import store


class Application:
    """The API with one trained model and the default settings of a server."""

    def __init__(self, model: str) -> None:
        settings, models = Settings(), Models()
        self.metrics, self.log = Metrics(version="bench"), Log(io.StringIO())
        loaded = artifact.load(store.find_model(model))
        self.classifier = Classifier(loaded)
        self.engine = factory.create(loaded, name="auto", log=self.log)
        scorer = Scorer(
            self.classifier,
            self.engine,
            limits=QueueLimits.of(settings),
            worker=ThreadPoolExecutor(1),
            metrics=self.metrics,
        )
        scorer.calibrate()
        models.open([scorer])
        self._app = create_app(settings=settings, models=models, metrics=self.metrics, log=self.log)
        self._loop = asyncio.new_event_loop()
        # as the service does after it has loaded the models
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    def run(self, bodies: Iterable[bytes], *, at_once: int = 1) -> None:
        """Send each of ``bodies`` to ``POST /v1/classify``; ``at_once`` requests are always in
        flight.
        """
        waiting = iter(bodies)

        async def client() -> None:
            for body in waiting:
                await self._post(body)

        async def clients() -> None:
            await asyncio.gather(*(client() for _ in range(at_once)))

        self._loop.run_until_complete(client() if at_once == 1 else clients())

    def inside(self, work: Callable[[], None]) -> None:
        """Run ``work`` on the event loop, so that deferred work is deferred."""

        async def on_the_loop() -> None:
            work()

        self._loop.run_until_complete(on_the_loop())

    async def _post(self, body: bytes) -> None:
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": "/v1/classify", "raw_path": b"/v1/classify",
            "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 3000),
            "headers": [
                (b"host", b"127.0.0.1"), (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }  # fmt: skip
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise RuntimeError(f"the application answered {message['status']}")

        await self._app(scope, receive, send)
