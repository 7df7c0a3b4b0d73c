"""What is refused before it is a request is refused as the application would refuse it."""

from __future__ import annotations

import asyncio
import json

import pytest
from valence.service.keys import key_file

from tests.service.api.blocked import Blocked, slow
from tests.service.api.test_operations import metrics, sample

JSON = [(b"host", b"valence"), (b"content-type", b"application/json")]
LARGE = json.dumps({"texts": ["good " * 400] * 10}).encode()


@pytest.fixture
async def full(serve):
    """An application whose queue has room for nothing large."""
    served = serve(engine=Blocked(), max_texts=10, queue_items=10)
    slow(served)
    running = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(served.classify(text="bad"))
    await asyncio.sleep(0.01)
    yield served
    served.engine.opened.set()
    assert (await running).status_code == (await waiting).status_code == 200


async def test_the_answer_is_the_one_that_a_request_would_have(full):
    shed = full.app.shed([*JSON, (b"x-request-id", b"mine")], LARGE)
    asked = await full.client.post(
        "/v1/classify",
        content=LARGE,
        headers={"content-type": "application/json", "x-request-id": "mine"},
    )
    assert shed["status"] == asked.status_code == 429
    assert dict(shed["headers"]) == dict(asked.headers.raw)
    assert json.loads(shed["body"]) == asked.json()


async def test_it_is_counted_and_logged_as_one(full):
    before = len(full.lines())
    full.app.shed(JSON, LARGE)
    text = await metrics(full)
    refused = {"route": "/v1/classify", "method": "POST", "status": "429"}
    assert sample(text, "valence_requests_total", **refused) == 1
    assert sample(text, "valence_rejected_requests_total", reason="overloaded") == 1
    (line,) = full.lines()[before:]
    assert (line["route"], line["status"]) == ("/v1/classify", 429)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON[:1], LARGE),
        ([*JSON[:1], (b"content-type", b"text/plain")], LARGE),
        ([*JSON, (b"content-encoding", b"gzip")], LARGE),
        ([*JSON, (b"traceparent", b"00-0")], LARGE),
        ([*JSON, (b"x-request-timeout-ms", b"9")], LARGE),
        (JSON, json.dumps({"model": "topic", "texts": ["good " * 2_000]}).encode()),
        (JSON, b'{"text": "good"}'),
    ],
)
async def test_what_takes_more_than_a_refusal_begins(full, headers, body):
    assert full.app.shed(headers, body) is None


async def test_where_there_is_room_all_begin(served):
    assert served.app.shed(JSON, LARGE) is None


async def test_before_the_service_is_ready_all_begin(serve):
    assert serve(opened=False).app.shed(JSON, LARGE) is None


async def test_where_every_request_is_asked_or_told_more_all_begin(serve, tmp_path, monkeypatch):
    path = tmp_path / "keys"
    path.write_text(f"alice: sha256:{key_file.fingerprint(b'secret').hex()}\n")
    for settings in ({"api_keys_file": str(path)}, {"cors_origins": ("https://valence.example",)}):
        served = serve(**settings)
        monkeypatch.setattr(served.app, "_require_room", _never)
        assert served.app.shed(JSON, LARGE) is None


def _never(body):
    pytest.fail("there was no need to ask")
