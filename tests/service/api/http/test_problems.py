"""Every status of every route in the OpenAPI document is produced here once.

The fixture ``serve`` checks in all tests of the API that no undocumented status is answered.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from valence.service.api.application import ROUTES
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Route
from valence.service.api.operations import openapi
from valence.service.keys.key import fingerprint
from valence.service.settings import Settings

from tests.service.api.conftest import documented
from tests.support.blocked_engines import Blocked, slow
from tests.support.feedback_databases import feedback_settings
from tests.support.model_stores import models_in, put_model
from tests.support.page_files import pages_in

DOCUMENT = openapi.build_document(ROUTES, Settings())
SECRET = "valence_secret"
CASES = [
    pytest.param(route, int(status), id=f"{route.method} {route.path} {status}")
    for route in ROUTES
    for status in DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
]


async def ask(served: Any, route: Route, **given: Any) -> httpx.Response:
    """Send the route's first example, changed by ``given``."""
    path = given.pop("path", route.path).format(name="sentiment", version="1")
    headers = given.pop("headers", {})
    if route.operation.request is not None and "content" not in given:
        given["content"] = json.dumps(next(iter(route.operation.request_examples.values())))
    if "content" in given:
        headers = {"Content-Type": route.operation.media_types[0]} | headers
    return await served.client.request(route.method, path, headers=headers, **given)


def admit(serve: Any, route: Route, tmp_path: Any, **settings: Any) -> Any:
    """Serve, with a client whose key permits the route if nobody may use it without one."""
    if route.scope == "feedback":
        return serve(**settings, **feedback_settings(tmp_path / "feedback.db"))
    if route.scope == "label":
        settings = feedback_settings(tmp_path / "feedback.db", sample_texts=30) | settings
    elif route.scope != "admin":
        return serve(**settings)
    served = serve(api_keys_file=keys_file(tmp_path, f" scopes={route.scope}"), **settings)
    served.client.headers["X-API-Key"] = SECRET
    return served


async def succeed(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        served = admit(serve, route, tmp_path, reload_slowdown=1e6)
        if route.path.endswith("/unload"):
            # the default model stays
            put_model("sentiment", "2")
            await served.app.context.reloads.load("sentiment:2")
            return await ask(served, route, path=route.path.replace("{name}", "{name}:2"))
        return await ask(served, route)


async def refuse_reload(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    with models_in(tmp_path / "models"):
        (put_model("sentiment", "2") / "SHA256SUMS").unlink()
        return await ask(admit(serve, route, tmp_path), route)


async def send_malformed(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    return await ask(admit(serve, route, tmp_path), route, content=b"{")


async def send_without_key(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    return await ask(serve(api_keys_file=keys_file(tmp_path)), route)


async def send_other_scope(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    other = "metrics" if route.scope == "classify" else "classify"
    served = serve(api_keys_file=keys_file(tmp_path, f" scopes={other}"))
    return await ask(served, route, headers={"X-API-Key": SECRET})


async def exceed_rate(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    scopes = "admin" if route.scope == "admin" else "classify,feedback,label,metrics"
    served = serve(api_keys_file=keys_file(tmp_path, f" scopes={scopes} texts_per_second=0.01"))
    await served.client.get("/v1/models", headers={"X-API-Key": SECRET})
    return await ask(served, route, headers={"X-API-Key": SECRET})


def keys_file(folder: Any, rate: str = "") -> str:
    file = folder / "keys"
    file.write_text(f"alice: sha256:{fingerprint(SECRET.encode()).hex()}{rate}\n")
    return str(file)


async def request_missing_resource(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    """Ask for a model or a page file that does not exist."""
    served = admit(serve, route, tmp_path) if route.scope != "feedback" else serve()
    if route.scope == "label":
        return await ask(admit(serve, route, tmp_path, sample_texts=0), route)
    if route.operation.tag == "pages":
        with pages_in(tmp_path):
            return await ask(served, route)
    if route.operation.query is not None:
        return await ask(served, route, params={"model": "none"})
    if route.scope == "feedback":
        return await ask(served, route)
    if "{name}" in route.path:
        return await ask(served, route, path=route.path.replace("{name}", "none"))
    if route.path.startswith("/api/v1/text/"):
        return await ask(served, route, headers={"detector-id": "none"})
    example = dict(next(iter(route.operation.request_examples.values())))
    return await ask(served, route, content=json.dumps(example | {"model": "none"}))


async def send_slowly(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(10)

    return await ask(admit(serve, route, tmp_path, body_idle_seconds=0.01), route, content=body())


async def send_too_large(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    return await ask(admit(serve, route, tmp_path, max_body_bytes=1024), route, content=b" " * 1025)


async def send_other_media_type(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    return await ask(admit(serve, route, tmp_path), route, headers={"Content-Type": "text/html"})


async def accept_other_media_type(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    return await ask(serve(), route, headers={"Accept": "text/html"})


async def send_other_shape(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    if route.operation.query is not None:
        return await ask(admit(serve, route, tmp_path), route, params={"no-such": "1"})
    return await ask(admit(serve, route, tmp_path), route, content=b'{"no-such": 1}')


async def cause_internal_error(serve: Any, route: Route, _tmp_path: Any) -> httpx.Response:
    async def fail(*_given: Any) -> Any:
        raise ValueError("unheard of")

    served = serve()
    routes = tuple(
        dataclasses.replace(other, handler=fail) if other is route else other for other in ROUTES
    )
    served.app = type(served.app)(dataclasses.replace(served.app.context, routes=routes))
    served.client._transport.app = documented(served.app)
    return await ask(served, route)


async def request_before_start(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    # the liveness route answers 503 only when an engine hangs
    is_liveness = route.handler.__name__ == "check_liveness"
    served = admit(serve, route, tmp_path, opened=is_liveness)
    if is_liveness:
        served.models.get()._batcher._busy_since = 1e-9
        served.models._hung_seconds = 0.0
    return await ask(served, route)


async def exceed_deadline(serve: Any, route: Route, tmp_path: Any) -> httpx.Response:
    if route.scope == "feedback":
        with sqlite3.connect(tmp_path / "feedback.db", isolation_level=None) as other:
            served = admit(serve, route, tmp_path, request_timeout_seconds=0.1)
            other.execute("BEGIN IMMEDIATE")
            answer = await ask(served, route)
            other.execute("ROLLBACK")
        other.close()
        return answer
    served = serve(engine=Blocked(), request_timeout_seconds=0.1)
    slow(served)
    before = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    answer = await ask(served, route)
    served.engine.opened.set()
    await before
    return answer


CAUSES = {
    200: succeed,
    400: send_malformed,
    401: send_without_key,
    403: send_other_scope,
    404: request_missing_resource,
    406: accept_other_media_type,
    408: send_slowly,
    409: refuse_reload,
    413: send_too_large,
    415: send_other_media_type,
    422: send_other_shape,
    429: exceed_rate,
    500: cause_internal_error,
    503: request_before_start,
    504: exceed_deadline,
}


@pytest.mark.parametrize(("route", "status"), CASES)
async def test_each_documented_status_matches_its_description(serve, tmp_path, route, status):
    answer = await CAUSES[status](serve, route, tmp_path)
    assert answer.status_code == status, answer.text
    described = DOCUMENT["paths"][route.path][route.method.lower()]["responses"][str(status)]
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in {name.partition(";")[0] for name in described["content"]}
    # a trace is answered with a trace, and no request here has one
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
