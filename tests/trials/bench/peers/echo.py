"""The same server stack without a model: the cost of an answer without classification.

It has the same BentoML configuration, gateway, application, metrics and log. Its only handler reads
the body and answers with as many bytes as a real answer.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import bentoml
from valence.service.app import Valence, install_gateway

from tests.trials.bench.peers.answer import ANSWER


@bentoml.service(**{**Valence.config, "name": "echo"})
class Echo:
    def __init__(self) -> None:
        import dataclasses

        from valence.service import settings
        from valence.service.api.application import Application
        from valence.service.api.http.outcome import Outcome
        from valence.service.api.http.request import Request
        from valence.service.api.http.response import Response
        from valence.service.api.http.routes import Context
        from valence.service.api.operations import health
        from valence.service.api.v1 import classification
        from valence.service.inference.models import Models, Phase
        from valence.service.inference.scored import TotalUsage
        from valence.service.observability import log, metrics

        async def echo(context: Context, request: Request) -> Outcome:
            await request.body.read()
            return Outcome(Response(ANSWER), usage=TotalUsage(texts=1, tokens=19))

        wanted = settings.Settings.from_environment(os.environ)
        models = Models()
        models.phase = Phase.SERVING
        routes = (dataclasses.replace(classification.ROUTES[0], handler=echo), *health.ROUTES)
        self.metrics = metrics.Metrics(version="echo")
        access = log.Log(sys.stdout, access=wanted.access_log)
        self.entry = Application(Context(wanted, models, self.metrics, access, routes))

    @bentoml.on_startup
    async def start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    @bentoml.api(route="/v1/classify")
    async def classify(self, text: Any = None) -> Any:
        return None


install_gateway(Echo)
