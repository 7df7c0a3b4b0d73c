"""The BentoML service: load the models, answer with our own ASGI application, drain.

The application is installed as the service's middleware, not mounted: BentoML's router, request
context and exception handling then cost a request nothing (half of its time when mounted). BentoML
keeps its life cycle and ``/schema.json``, from which its clients learn how to call ``classify``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import bentoml

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from service.inference.scorer import Scorer


@bentoml.service(
    name="valence",
    workers=1,  # scale by replicas: in a container BentoML does not restart a killed worker
    # Only a net below our own deadline. Its timers are never cancelled and pile up if it is long.
    traffic={"timeout": 10.0},
    metrics={"enabled": False, "namespace": "bentoml_service"},  # service.metrics has these names
    logging={"access": {"enabled": False}},  # service.log
    tracing={"excluded_urls": ".*"},  # it records every span even at rate 0, half of a request
)
class Valence:
    """Text classifiers behind ``POST /v1/classify``."""

    def __init__(self) -> None:
        from service import log, metrics, settings, version
        from service.api.application import create_app
        from service.inference.models import Models

        self.settings = settings.Settings.from_environment(os.environ)
        self.log = log.Log(sys.stdout, access=self.settings.access_log)
        self.metrics = metrics.Metrics(version=version.VERSION)
        self.models = Models()
        self.application = create_app(
            settings=self.settings, models=self.models, metrics=self.metrics, log=self.log
        )

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Refuse to start on what cannot be served, before any worker exists."""
        from service import settings, store
        from service.classifier import artifact
        from service.errors import ValenceError
        from service.inference import engines

        try:
            wanted = settings.Settings.from_environment(os.environ)
            engines.require(wanted.engine)
            for folder in store.folders(wanted):
                artifact.load(folder)
        except ValenceError as error:
            sys.exit(f"valence: {error}")

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Load while the server answers 503, so that health is told from the first moment."""
        self._loading = asyncio.create_task(self._open())

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def drain(self) -> None:
        """Answer what was admitted."""
        self._loading.cancel()
        await self.models.close()

    @bentoml.api(route="/v1/classify")  # type: ignore[untyped-decorator]
    async def classify(
        self, text: Any = None, texts: Any = None, model: Any = None, top_k: Any = None
    ) -> Any:
        """Label a text or several; the same as POST /v1/classify, which is what clients call."""
        from service.api.classify import classify_in_process

        fields = {"text": text, "texts": texts, "model": model, "top_k": top_k}
        return await classify_in_process(
            self.application.context, {k: v for k, v in fields.items() if v is not None}
        )

    async def _open(self) -> None:
        from service.errors import ValenceError

        try:
            self.models.open(await asyncio.to_thread(self._load))
        except ValenceError as error:
            self.log.event("error", "not started", reason=str(error))
            os._exit(1)
        # what was loaded stays: the collector need not walk it again and again
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    def _load(self) -> list[Scorer]:
        from concurrent.futures import ThreadPoolExecutor

        from service import store
        from service.classifier import artifact
        from service.classifier.classifier import Classifier
        from service.inference import engines
        from service.inference.batcher import QueueLimits
        from service.inference.scorer import Scorer

        worker = ThreadPoolExecutor(1, thread_name_prefix="engine")
        limits = QueueLimits(self.settings.queue_items, self.settings.queue_tokens)
        scorers = []
        for folder in store.folders(self.settings):
            loaded = artifact.load(folder)
            engine = engines.create(loaded, name=self.settings.engine, log=self.log)
            scorer = Scorer(
                Classifier(loaded), engine, limits=limits, worker=worker, metrics=self.metrics
            )
            scorer.warm_up()
            scorers.append(scorer)
        return scorers


class _Gateway:
    """Hands every request but BentoML's own to the application of this worker."""

    def __init__(self, app: ASGIApp) -> None:
        self._bentoml = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/schema.json":
            await bentoml.get_current_service().application(scope, receive, send)
        else:
            await self._bentoml(scope, receive, send)


Valence.add_asgi_middleware(_Gateway)  # type: ignore[attr-defined]
