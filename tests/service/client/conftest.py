"""Both clients with one interface, on the real application and on one that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import valence
from starlette.types import ASGIApp

from tests.service.api.conftest import serve  # noqa: F401 - a fixture


class Bridge(httpx.BaseTransport):
    """Hands the requests of a thread to an application in the event loop of the test."""

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx.ASGITransport(app)
        self._loop = asyncio.get_running_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            sent = httpx.Request(
                request.method, request.url, headers=request.headers, content=request.read()
            )
            response = await self._inner.handle_async_request(sent)
            return httpx.Response(
                response.status_code, headers=response.headers, content=await response.aread()
            )

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()


class Caller:
    """A client of either kind, whose methods are awaited."""

    def __init__(self, client: valence.Client | valence.AsyncClient) -> None:
        self.client = client

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call the method ``name``; a stream gives all that it yields."""
        method = getattr(self.client, name)
        if isinstance(self.client, valence.AsyncClient):
            made = method(*arguments, **options)
            return [item async for item in made] if name == "stream" else await made
        if name == "stream":
            return await asyncio.to_thread(lambda: list(method(*arguments, **options)))
        return await asyncio.to_thread(method, *arguments, **options)


Connect = Callable[..., Caller]


@pytest.fixture(params=["sync", "async"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Return a function that makes a client of an application."""
    opened: list[Any] = []

    def make(app: ASGIApp, **options: Any) -> Caller:
        http: Any
        if request.param == "sync":
            http = httpx.Client(transport=Bridge(app))
            client: Any = valence.Client("http://valence", http=http, **options)
        else:
            http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
            client = valence.AsyncClient("http://valence", http=http, **options)
        opened.append(http)
        return Caller(client)

    yield make
    for http in opened:
        if isinstance(http, httpx.AsyncClient):
            await http.aclose()
        else:
            http.close()
