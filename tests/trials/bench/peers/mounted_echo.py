"""Starlette mounted in BentoML as in its documentation, tuned by settings only, without a model.

It is the cost of an answer without classification for services that keep BentoML's middleware,
which
``valence.service.app`` replaces. It reads the body and answers with as many bytes as a real answer.
"""

from __future__ import annotations

import gc

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# not imported from the other echo, because that import replaces uvicorn's protocol
from tests.trials.bench.peers.answer import ANSWER


async def _echo(request: Request) -> Response:
    await request.body()
    return Response(ANSWER, media_type="application/json")


async def _ready(request: Request) -> Response:
    return Response("ok")


_APPLICATION = Starlette(
    routes=[Route("/v1/classify", _echo, methods=["POST"]), Route("/readyz", _ready)]
)


@bentoml.asgi_app(_APPLICATION, path="/")
@bentoml.service(
    name="mounted_echo",
    workers=1,
    traffic={"timeout": 10.0},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class MountedEcho:
    @bentoml.on_startup
    async def start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
