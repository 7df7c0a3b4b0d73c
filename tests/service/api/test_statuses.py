"""Every status of every route in the OpenAPI document is caused here, once.

That no other status is ever answered is watched by ``serve`` in all tests of the API.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import httpx
import pytest
from valence.service.api import pages
from valence.service.api.application import ROUTES
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Route
from valence.service.api.operations import openapi
from valence.service.keys import key_file
from valence.service.settings import Settings

from tests.service.api.blocked import Blocked, slow
from tests.service.api.conftest import documented

DOCUMENT = openapi.document(ROUTES, Settings())
SECRET = "valence_secret"
CASES = [
    pytest.param(route, int(status), id=f"{route.method} {route.path} {status}")
    for route in ROUTES
    for status in DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
]


async def ask(served: Any, route: Route, **given: Any) -> httpx.Response:
    """What the route answers to its own first example, but for what is ``given``."""
    path = given.pop("path", route.path).format(name="sentiment", version="1")
    headers = given.pop("headers", {})
    if route.operation.request is not None and "content" not in given:
        given["content"] = json.dumps(next(iter(route.operation.request_examples.values())))
    if "content" in given:
        headers = {"Content-Type": route.operation.media_types[0]} | headers
    return await served.client.request(route.method, path, headers=headers, **given)


async def fine(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    return await ask(serve(), route)


async def malformed(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    return await ask(serve(), route, content=b"{")


async def without_a_key(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    return await ask(serve(api_keys_file=keys_file(tmp_path)), route)


async def beyond_its_rate(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    served = serve(api_keys_file=keys_file(tmp_path, " texts_per_second=0.01"))
    await served.client.get("/v1/models", headers={"X-API-Key": SECRET})
    return await ask(served, route, headers={"X-API-Key": SECRET})


def keys_file(folder: Any, rate: str = "") -> str:
    file = folder / "keys"
    file.write_text(f"alice: sha256:{key_file.fingerprint(SECRET.encode()).hex()}{rate}\n")
    return str(file)


async def not_there(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    """No such model, or no such file of a page."""
    served = serve()
    if route.operation.tag == "pages":
        pages._file.cache_clear()
        with (
            mock.patch.object(pages, "_WEB", tmp_path),
            mock.patch.object(pages, "_SWAGGER", tmp_path),
        ):
            return await ask(served, route)
    if route.operation.query is not None:
        return await ask(served, route, params={"model": "none"})
    if "{name}" in route.path:
        return await ask(served, route, path=route.path.replace("{name}", "none"))
    example = dict(next(iter(route.operation.request_examples.values())))
    return await ask(served, route, content=json.dumps(example | {"model": "none"}))


async def too_slow(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(10)

    return await ask(serve(body_idle_seconds=0.01), route, content=body())


async def too_large(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    return await ask(serve(max_body_bytes=1024), route, content=b" " * 1025)


async def of_another_type(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    return await ask(serve(), route, headers={"Content-Type": "text/html"})


async def of_another_shape(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    if route.operation.query is not None:
        return await ask(serve(), route, params={"no-such": "1"})
    return await ask(serve(), route, content=b'{"no-such": 1}')


async def failing(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    async def fail(*_given: Any) -> Any:
        raise ValueError("unheard of")

    served = serve()
    routes = tuple(
        dataclasses.replace(other, handler=fail) if other is route else other for other in ROUTES
    )
    served.app = type(served.app)(dataclasses.replace(served.app.context, routes=routes))
    served.client._transport.app = documented(served.app)
    return await ask(served, route)


async def unavailable(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    alone_lives = route.handler.__name__ == "live"  # it says 503 only when an engine has hung
    served = serve(opened=alone_lives)
    if alone_lives:
        served.models.get()._batcher._busy_since = 1e-9
        served.models._hung_seconds = 0.0
    return await ask(served, route)


async def too_late(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    served = serve(engine=Blocked(), request_timeout_seconds=0.1)
    slow(served)
    before = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    answer = await ask(served, route)
    served.engine.opened.set()
    await before
    return answer


CAUSES = {
    200: fine,
    400: malformed,
    401: without_a_key,
    404: not_there,
    408: too_slow,
    413: too_large,
    415: of_another_type,
    422: of_another_shape,
    429: beyond_its_rate,
    500: failing,
    503: unavailable,
    504: too_late,
}


@pytest.mark.parametrize(("route", "status"), CASES)
async def test_a_documented_status_is_answered_as_documented(serve, tmp_path, route, status):
    answer = await CAUSES[status](serve, route, tmp_path)
    assert answer.status_code == status, answer.text
    described = DOCUMENT["paths"][route.path][route.method.lower()]["responses"][str(status)]
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in {name.partition(";")[0] for name in described["content"]}
    # a trace is answered with a trace, which no request here has
    for name in described["headers"].keys() - {"traceparent"}:
        assert name.lower() in answer.headers
    schema = route.operation.response if status == 200 else route.operation.error
    if not isinstance(schema, str):
        for line in answer.text.splitlines():
            schema.model_validate_json(line, strict=True)


async def test_an_undocumented_status_is_noticed(serve):
    async def teapot(_context: Any, _request: Any) -> Outcome:
        return Outcome(Response(b"", status=418))

    served = serve()
    route = dataclasses.replace(ROUTES[0], handler=teapot)
    context = dataclasses.replace(served.app.context, routes=(route, *ROUTES[1:]))
    served.client._transport.app = documented(type(served.app)(context))
    with pytest.raises(AssertionError, match=r"\['418'\] of POST /v1/classify is not documented"):
        await served.classify(text="good")
