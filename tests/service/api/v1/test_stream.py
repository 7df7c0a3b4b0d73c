from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from typing import Any

import numpy as np
import pytest
from valence.service import errors
from valence.service.api.v1.schemas import StreamAnswer

from tests.support.blocked_engines import Blocked, slow

PATH = "/v1/classify/stream"


class Connection:
    """Client that sends and reads in pieces, as over a socket."""

    def __init__(self, served: Any, *, query: str = "") -> None:
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.readable = asyncio.Event()
        self.readable.set()
        self.taken = 0
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": query.encode(),
            "headers": [(b"content-type", b"application/x-ndjson")],
        }
        self.task = asyncio.create_task(served.app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        piece = await self._pieces.get()
        self.taken += 1
        return piece

    async def _send(self, message: dict[str, Any]) -> None:
        await self.readable.wait()
        await self._answers.put(message)

    def write(self, body: bytes, *, more: bool = True) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def hang_up(self) -> None:
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def read(self) -> list[dict[str, Any]]:
        """Read the lines of the next piece of the answer."""
        async with asyncio.timeout(5):
            while (message := await self._answers.get())["type"] != "http.response.body":
                assert message["status"] == 200
            return [json.loads(line) for line in message["body"].splitlines()]


async def lines_of(served: Any, body: bytes, **query: object) -> list[dict[str, Any]]:
    response = await served.client.post(PATH, content=body, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    for line in response.content.splitlines():
        StreamAnswer.model_validate_json(line)
    return [json.loads(line) for line in response.content.splitlines()]


def ndjson(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def test_a_line_gets_the_answer_of_a_request_with_one_text(served):
    texts = ["good", "not good movie", "", "bad " * 60]
    answers = await lines_of(served, ndjson(*({"text": text} for text in texts)))
    for number, (answer, text) in enumerate(zip(answers, texts, strict=True), 1):
        whole = (await served.classify(text=text)).json()
        (expected,) = whole["results"]
        assert answer == {"line": number, **expected, "model": whole["model"]}


async def test_query_options_apply_to_every_line(served):
    options = {"top_k": 1, "min_confidence": 0.9, "model": "sentiment:1"}
    answers = await lines_of(served, ndjson("good", "bad"), **options)
    for answer, text in zip(answers, ["good", "bad"], strict=True):
        expected = (await served.classify(text=text, **options)).json()["results"][0]
        assert {**expected, "line": answer["line"], "model": answer["model"]} == answer
        assert answer["label"] == "uncertain"


async def test_an_invalid_line_is_an_error_and_others_are_scored(serve):
    served = serve(max_characters=20, max_body_bytes=1024)
    body = b"\n".join(
        [
            b"\xef\xbb\xbf" + b'{"text": "good", "id": "first"}\r',
            b"{",
            b"",
            b"  ",
            b'{"text": "\xff"}',
            b'{"text": 3}',
            b'{"text": "good", "top_k": 1}',
            b'{"text": "aaaaaaaaaaaaaaaaaaaaa", "id": "long"}',
            b"[]",
            b'"' + b"a" * 2000 + b'"',
            b'"\\ud800"',
            b'"bad"',
        ]
    )
    answers = await lines_of(served, body)
    assert [answer["line"] for answer in answers] == [1, 2, 5, 6, 7, 8, 9, 10, 11, 12]
    assert answers[0]["id"] == "first"
    assert answers[5]["id"] == "long"
    slugs = [answer["error"]["type"].rsplit(":", 1)[1] for answer in answers[1:-1]]
    assert slugs == [
        *("malformed-body", "malformed-body"),
        *("invalid-request", "invalid-request", "invalid-request", "invalid-request"),
        *("body-too-large", "malformed-body"),
    ]
    assert answers[-1]["label"] == (await served.classify(text="bad")).json()["results"][0]["label"]


async def test_a_text_refused_for_its_length_does_not_affect_others(served):
    body = ndjson("good", "good " * 51, "bad", "good " * 50)
    answers = await lines_of(served, body, truncation="error")
    assert ["error" in answer for answer in answers] == [False, True, False, False]
    assert "51 tokens" in answers[1]["error"]["detail"]


async def test_a_text_that_fails_in_the_engine_spares_the_others(serve):
    class FailingEngine:
        name = "failing"

        def logits(self, documents):
            if any(len(document) == 3 for document in documents):
                raise ValueError("canary")
            return np.zeros((len(documents), 3), dtype=np.float32)

    answers = await lines_of(serve(engine=FailingEngine()), ndjson("a", "a a", "a a a", "a a a a"))
    assert ["error" in answer for answer in answers] == [False, False, True, False]
    assert "canary" not in json.dumps(answers)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        *(("topk=1", 422), ("top_k=0", 422), ("top_k=1&top_k=2", 422), ("truncation=x", 422)),
        *(("model=none", 404), ("text=good", 422), ("", 200), ("truncation=window", 200)),
    ],
)
async def test_an_invalid_query_is_refused_before_reading_lines(served, query, status):
    response = await served.client.post(f"{PATH}?{query}", content=b'"good"')
    assert response.status_code == status


@pytest.mark.parametrize("query", ["explain=true", "granularity=sentence"])
async def test_what_no_line_can_answer_is_refused_by_name(served, query):
    field = query.partition("=")[0]
    answer = await served.client.post(f"{PATH}?{query}", content=b'"good"')
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{field}: a stream answers with the label")
    assert "POST /v1/classify" in answer.json()["detail"]
    default = {"explain": "false", "granularity": "document"}[field]
    assert len(await lines_of(served, b'"good"', **{field: default})) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/x-ndjson"}, 200),
        ({"content-type": "Application/JSONL; charset=utf-8"}, 200),
        ({"content-type": "application/json-lines"}, 200),
        ({"content-type": "application/json"}, 415),
        ({"content-type": "application/x-ndjson; charset=utf-16"}, 415),
        ({"content-encoding": "Identity"}, 200),
        ({"content-encoding": "gzip"}, 415),
    ],
)
async def test_only_json_lines_are_accepted(served, headers, status):
    response = await served.client.post(PATH, content=b'"good"', headers=headers)
    assert response.status_code == status


async def test_a_starting_service_answers_503(serve):
    response = await serve(opened=False).client.post(PATH, content=b'"good"')
    assert response.status_code == 503


async def test_an_empty_body_gets_an_empty_answer(served):
    assert await lines_of(served, b"") == []


async def test_a_line_is_answered_before_the_next_is_sent(served):
    connection = Connection(served)
    connection.write(b'"good"\n"b')
    assert [answer["line"] for answer in await connection.read()] == [1]
    connection.write(b'ad"', more=False)
    assert [answer["line"] for answer in await connection.read()] == [2]
    await connection.task
    line = served.lines()[-1]
    assert (line["status"], line["texts"], line["model"]) == (200, 2, "sentiment")


async def test_a_client_that_does_not_read_is_not_read_from(served):
    connection = Connection(served)
    connection.readable.clear()
    for _ in range(50):
        connection.write(ndjson(*["good"] * 256))
    for _ in range(200):
        await asyncio.sleep(0.001)
    assert connection.taken <= 5
    connection.readable.set()
    connection.write(b"", more=False)
    numbers: list[int] = []
    while len(numbers) < 50 * 256:
        numbers += [answer["line"] for answer in await connection.read()]
    assert numbers == list(range(1, 50 * 256 + 1))
    await connection.task


async def test_a_client_that_never_reads_is_disconnected(serve):
    served = serve(stream_idle_seconds=0.05)
    connection = Connection(served)
    connection.write(b'"good"\n')
    await asyncio.sleep(0)
    connection.readable.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await connection.task
    assert served.lines()[-2]["type"] == "TimeoutError"


async def test_an_idle_stream_ends_and_names_the_line_to_resume_from(serve):
    connection = Connection(serve(stream_idle_seconds=0.05))
    connection.write(b'"good"\n"ba')
    assert [answer["line"] for answer in await connection.read()] == [1]
    (last,) = await connection.read()
    assert last["resume_from"] == last["line"] == 2
    assert last["error"]["type"].endswith("deadline-exceeded")
    connection.write(b"", more=False)
    await connection.task


async def test_a_draining_service_names_the_line_to_resume_from(served):
    """It answers the lines that it has read."""
    connection = Connection(served)
    connection.write(b'"good"\n"bad"\n"mov')
    assert len(await connection.read()) == 2
    await served.models.close()
    (last,) = await connection.read()
    assert last["resume_from"] == 3
    assert last["error"]["type"].endswith("unavailable")
    connection.write(b"", more=False)
    await connection.task


async def test_a_client_that_disconnects_ends_the_stream(served):
    connection = Connection(served)
    connection.write(b'"good"\n')
    await connection.read()
    connection.hang_up()
    await connection.task
    assert served.lines()[-1]["status"] == 499


async def test_lines_wait_for_room_in_a_full_queue(serve):
    served = serve(engine=Blocked(), max_texts=2, queue_items=2)
    slow(served)
    others = []
    for texts in (["good"], ["good", "bad"]):
        others.append(asyncio.create_task(served.classify(texts=texts)))
        await asyncio.sleep(0.01)
    connection = Connection(served)
    connection.write(ndjson("good"), more=False)
    await asyncio.sleep(0.02)
    served.engine.opened.set()
    (answer,) = await connection.read()
    assert "label" in answer
    await connection.task
    assert [(await other).status_code for other in others] == [200, 200]


async def test_a_stream_lets_others_run(served):
    connection = Connection(served)
    for _ in range(20):
        connection.write(ndjson(*["good movie " * 20] * 100))
    await asyncio.sleep(0)
    assert (await served.classify(text="bad")).status_code == 200
    assert connection.taken < 20
    connection.hang_up()
    await connection.task


async def test_a_refused_line_leaves_no_garbage(served):
    """Errors that referred to their frames would wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        assert len(await lines_of(served, b'1\n{"text":2}\n{"a":1}\n' * 20)) == 60
        left = [one for one in gc.get_objects() if type(one) is errors.InvalidRequest]
    finally:
        gc.enable()
    assert not left


async def test_every_stream_has_its_own_headers(served: Any) -> None:
    answers = [await served.client.post(PATH, content=b'{"text": "good"}\n') for _ in range(3)]
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert [len(found) for found in ids] == [1, 1, 1]
    assert len({found[0] for found in ids}) == 3
    assert len({len(answer.headers.raw) for answer in answers}) == 1


async def test_lines_that_are_not_complete_count_in_the_memory(serve):
    """A stream that has no room ends, and names the line to resume from."""
    served = serve(body_memory_bytes=2048, max_body_bytes=2048)
    first, second = Connection(served), Connection(served)
    first.write(b'"good"\n"' + b"a" * 1500)
    assert [answer["line"] for answer in await first.read()] == [1]
    await asyncio.sleep(0.01)
    assert served.app._bodies.held_bytes == 1501
    second.write(b'"good"\n"bad"\n')
    (last,) = await second.read()
    assert last["resume_from"] == last["line"] == 1
    assert last["error"]["type"].endswith("overloaded")
    second.write(b"", more=False)
    await second.task
    first.write(b'"\n', more=False)
    assert [answer["line"] for answer in await first.read()] == [2]
    await first.task
    assert served.app._bodies.held_bytes == 0
