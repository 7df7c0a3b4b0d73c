"""The health protocol of gRPC, by which load balancers and kubelets probe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from valence.service.api.grpc.messages import HEALTH_MESSAGES
from valence.service.api.grpc.procedures import (
    INFERENCE,
    make_route,
    read_message,
    write_message,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.errors import UnknownModel
from valence.service.inference.models import Models, Phase

SERVICE = "grpc.health.v1.Health"
_Request, _Response = (HEALTH_MESSAGES[f"HealthCheck{kind}"] for kind in ("Request", "Response"))
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3
_SERVICES = ("", INFERENCE, SERVICE)
# how often a change is looked for
_LOOK_SECONDS = 0.5


async def check(context: Context, request: Request) -> Outcome:
    """Answer ``Check``."""
    name = (await read_message(request, _Request)).service
    if name not in _SERVICES:
        raise UnknownModel(
            f"there is no service of this name; the services are {', '.join(_SERVICES[1:])}, and "
            "no name means the whole server"
        )
    return Outcome(write_message(_Response(status=_find_status(context.models))))


async def watch(models: Models, content: bytes) -> AsyncIterator[bytes]:
    """The answers to ``Watch``: the status now and at each change, to the end of the process."""
    try:
        known = _Request.FromString(content).service in _SERVICES
    except Exception:
        known = False
    told = None
    while True:
        # before the status: the end may come while the status before it is sent
        ending = models.ending.is_set()
        status = _find_status(models) if known else _SERVICE_UNKNOWN
        if status != told:
            told = status
            yield _Response(status=status).SerializeToString()
        if ending:
            return
        try:
            await asyncio.wait_for(models.ending.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue


def _find_status(models: Models) -> int:
    ready = models.alive and models.phase is Phase.SERVING and not models.ending.is_set()
    return _SERVING if ready else _NOT_SERVING


ROUTES = (make_route("Check", check, "Is the service ready?", service=SERVICE, probe=True),)
