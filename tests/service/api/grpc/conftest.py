"""The application behind a port of gRPC, on an engine with computable answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from valence.service.api.grpc.server import ROUTES, CallServer

from tests.support.grpc_calls import Calls


@pytest.fixture
async def calling(serve) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts a server on a free port, with settings as ``serve`` has."""
    started = []

    async def start(**fields: Any) -> Calls:
        served = serve(**fields)
        server = CallServer(served.app.restrict(ROUTES), served.app.context, 0)
        await server.start("127.0.0.1")
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        started.append((server, channel))
        return Calls(served, server, channel)

    yield start
    for server, channel in started:
        await channel.close()
        server._models.ending.set()
        await server.drain()
