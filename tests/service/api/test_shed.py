"""Early load shedding gives the answer that the application would give."""

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
async def full_queue(serve):
    """Yield an application whose queue has no room for a large request."""
    served = serve(engine=Blocked(), max_texts=10, queue_items=10)
    slow(served)
    running = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(served.classify(text="bad"))
    await asyncio.sleep(0.01)
    yield served
    served.engine.opened.set()
    assert (await running).status_code == (await waiting).status_code == 200


async def test_early_rejection_gives_the_usual_answer(full_queue):
    shed = full_queue.app.shed([*JSON, (b"x-request-id", b"mine")], LARGE)
    asked = await full_queue.client.post(
        "/v1/classify",
        content=LARGE,
        headers={"content-type": "application/json", "x-request-id": "mine"},
    )
    assert shed["status"] == asked.status_code == 429
    assert dict(shed["headers"]) == dict(asked.headers.raw)
    assert json.loads(shed["body"]) == asked.json()


async def test_early_rejection_is_counted_and_logged_as_a_request(full_queue):
    before = len(full_queue.lines())
    full_queue.app.shed(JSON, LARGE)
    text = await metrics(full_queue)
    refused = {"route": "/v1/classify", "method": "POST", "status": "429"}
    assert sample(text, "valence_requests_total", **refused) == 1
    assert sample(text, "valence_rejected_requests_total", reason="overloaded") == 1
    (line,) = full_queue.lines()[before:]
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
async def test_requests_that_need_more_than_a_refusal_are_passed_on(full_queue, headers, body):
    assert full_queue.app.shed(headers, body) is None


async def test_with_room_in_the_queue_all_requests_are_passed_on(served):
    assert served.app.shed(JSON, LARGE) is None


async def test_before_readiness_all_requests_are_passed_on(serve):
    assert serve(opened=False).app.shed(JSON, LARGE) is None


async def test_with_keys_or_cors_all_requests_are_passed_on(serve, tmp_path, monkeypatch):
    path = tmp_path / "keys"
    path.write_text(f"alice: sha256:{key_file.fingerprint(b'secret').hex()}\n")
    for settings in ({"api_keys_file": str(path)}, {"cors_origins": ("https://valence.example",)}):
        served = serve(**settings)
        monkeypatch.setattr(type(served.app._bodies), "require_room_for", _fail_if_called)
        assert served.app.shed(JSON, LARGE) is None


def _fail_if_called(self, body):
    pytest.fail("there was no need to ask")
