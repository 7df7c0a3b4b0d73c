"""What all dialects share: equal scores, and errors in the format their clients read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from valence.service.api.application import ROUTES
from valence.service.api.dialects.detectors.schemas import DetectorError
from valence.service.api.dialects.huggingface.schemas import PredictError
from valence.service.api.dialects.open_inference.schemas import InferError
from valence.service.api.dialects.vllm import OpenAIError
from valence.service.api.http.problems import ProblemDetails

from tests.support.blocked_engines import Blocked, slow

LABELS = ("negative", "neutral", "positive")
TEXTS = ["Good good movie.", "not bad", "", "the movie was very bad!"]
Scores = list[dict[str, float]]


class Dialect(NamedTuple):
    """How to call a route and how to read its answer."""

    path: str
    ask: Callable[[list[str]], bytes]
    read: Callable[[bytes], Scores]
    error: type
    media_type: str = "application/json"
    error_media_type: str = "application/json"
    names_model: bool = False
    reads_json: bool = True


def json_body(make: Callable[[list[str]], Any]) -> Callable[[list[str]], bytes]:
    return lambda texts: json.dumps(make(texts)).encode()


def read_native(content: bytes) -> Scores:
    results = json.loads(content)["results"]
    return [{score["label"]: score["score"] for score in result["scores"]} for result in results]


def scores_of_rows(rows: list[list[dict[str, Any]]]) -> Scores:
    return [{score["label"]: score["score"] for score in row} for row in rows]


def read_vllm(content: bytes) -> Scores:
    return [dict(zip(LABELS, item["probs"], strict=True)) for item in json.loads(content)["data"]]


def read_tensors(content: bytes) -> Scores:
    outputs = {output["name"]: output for output in json.loads(content)["outputs"]}
    rows = np.reshape(outputs["probabilities"]["data"], outputs["probabilities"]["shape"])
    return [dict(zip(LABELS, row, strict=True)) for row in rows.tolist()]


def infer_request(texts: list[str]) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]}


def batch(texts: list[str]) -> dict[str, Any]:
    return {"inputs": [[text] for text in texts]}


def read_rows(content: bytes) -> Scores:
    return scores_of_rows(json.loads(content))


def read_detections(content: bytes) -> Scores:
    return [
        {found["detection_type"]: found["score"] for found in row} for row in json.loads(content)
    ]


def read_lines(content: bytes) -> Scores:
    return scores_of_rows([json.loads(line) for line in content.splitlines()])


DIALECTS = {
    "native": Dialect(
        "/v1/classify",
        json_body(lambda texts: {"texts": texts}),
        read_native,
        ProblemDetails,
        error_media_type="application/problem+json",
    ),
    "tei": Dialect("/predict", json_body(batch), read_rows, PredictError),
    "tei root": Dialect("/", json_body(batch), read_rows, PredictError),
    "hub": Dialect(
        "/models/sentiment",
        json_body(lambda texts: {**batch(texts), "parameters": {}}),
        read_rows,
        PredictError,
        names_model=True,
    ),
    "vllm": Dialect("/classify", json_body(lambda texts: {"input": texts}), read_vllm, OpenAIError),
    "detectors": Dialect(
        "/api/v1/text/contents",
        json_body(lambda texts: {"contents": texts, "detector_params": {"threshold": 0}}),
        read_detections,
        DetectorError,
    ),
    "open inference": Dialect(
        "/v2/models/sentiment/infer",
        json_body(infer_request),
        read_tensors,
        InferError,
        names_model=True,
    ),
    "open inference, version": Dialect(
        "/v2/models/sentiment/versions/1/infer",
        json_body(infer_request),
        read_tensors,
        InferError,
        names_model=True,
    ),
    "sagemaker": Dialect("/invocations", json_body(batch), read_rows, PredictError),
    "sagemaker lines": Dialect(
        "/invocations",
        lambda texts: b"".join(json.dumps({"inputs": text}).encode() + b"\n" for text in texts),
        read_lines,
        PredictError,
        media_type="application/jsonlines",
    ),
    "sagemaker csv": Dialect(
        "/invocations",
        lambda texts: "".join(f'"{text}"\r\n' for text in texts).encode(),
        read_lines,
        PredictError,
        media_type="text/csv",
        reads_json=False,
    ),
}


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


async def post(served, dialect: Dialect, content: bytes, **headers: str):
    given = {"content-type": dialect.media_type, **headers}
    return await served.client.post(dialect.path, content=content, headers=given)


def check_error(dialect: Dialect, response, status: int) -> None:
    """Check that ``response`` is an error in the dialect's format."""
    assert response.status_code == status
    assert response.headers["content-type"] == dialect.error_media_type
    error = dialect.error.model_validate_json(response.content, strict=True)
    assert set(json.loads(response.content)) <= set(dialect.error.model_fields)
    message = {
        ProblemDetails: lambda: error.detail,
        PredictError: lambda: error.error,
        OpenAIError: lambda: error.error.message,
        InferError: lambda: error.error,
        DetectorError: lambda: error.message,
    }[dialect.error]()
    assert len(message) > 10


def test_every_scoring_route_is_tested_here():
    scoring = {
        route.path.format(name="sentiment", version="1")
        for route in ROUTES
        if route.method == "POST"
        and route.scope == "classify"
        and route.operation.tag not in {"stream", "activations"}
        # its answers are annotations: test_label_studio.py
        and not route.path.startswith("/label-studio")
    }
    assert {dialect.path for dialect in DIALECTS.values()} == scoring - {"/v1/classify/stream"}


async def test_scores_equal_those_of_the_native_dialect(served, dialect):
    """For one text and for a batch."""
    native = read_native((await served.classify(texts=TEXTS)).content)
    together = dialect.read((await post(served, dialect, dialect.ask(TEXTS))).content)
    alone = [
        dialect.read((await post(served, dialect, dialect.ask([text]))).content)[0]
        for text in TEXTS
    ]
    for scores in (together, alone):
        for ours, theirs in zip(scores, native, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)


async def test_a_body_in_another_format_is_400(served, dialect):
    content = b'{"inputs": ' if dialect.reads_json else b'"no end\n'
    check_error(dialect, await post(served, dialect, content), 400)
    check_error(dialect, await post(served, dialect, b"\xff"), 400)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"3", b'{"inputs": 3, "input": {}, "text": 3}'])
async def test_a_body_of_another_shape_is_422(served, dialect, body):
    if not dialect.reads_json:
        body = b"two,columns\n"
    check_error(dialect, await post(served, dialect, body), 422)


async def test_a_request_without_texts_is_422(served, dialect):
    check_error(dialect, await post(served, dialect, dialect.ask([])), 422)


async def test_too_many_texts_are_422(serve, dialect):
    served = serve(max_texts=3)
    assert (await post(served, dialect, dialect.ask(["good"] * 3))).status_code == 200
    check_error(dialect, await post(served, dialect, dialect.ask(["good"] * 4)), 422)


async def test_a_text_of_too_many_characters_refuses_the_whole_request(serve, dialect):
    served = serve(max_characters=10)
    assert (await post(served, dialect, dialect.ask(["a" * 10] * 2))).status_code == 200
    response = await post(served, dialect, dialect.ask(["a" * 11]))
    check_error(dialect, response, 422)
    if dialect.path != "/v1/classify":
        check_error(dialect, await post(served, dialect, dialect.ask(["good", "a" * 11])), 422)


@pytest.mark.parametrize(
    "headers", [{"content-type": "text/html"}, {"content-encoding": "gzip"}], ids=str
)
async def test_another_media_type_or_encoding_is_415(served, dialect, headers):
    check_error(dialect, await post(served, dialect, dialect.ask(["good"]), **headers), 415)


async def test_another_charset_than_utf_8_is_415(served, dialect):
    for charset, status in (("utf-8", 200), ("utf-16", 415)):
        media_type = {"content-type": f"{dialect.media_type}; charset={charset}"}
        response = await post(served, dialect, dialect.ask(["good"]), **media_type)
        assert response.status_code == status


@pytest.mark.parametrize("size", [2000, 2001])
async def test_a_body_too_large_is_413(serve, dialect, size):
    served = serve(max_body_bytes=2000)
    content = dialect.ask(["a"])
    content = dialect.ask(["a" * (1 + size - len(content))])
    assert len(content) == size
    response = await post(served, dialect, content)
    if size > 2000:
        check_error(dialect, response, 413)
    else:
        assert response.status_code == 200


@pytest.mark.parametrize("name", ["nothing", "sentiment:2"])
async def test_an_unknown_model_is_404(served, name):
    for dialect in (each for each in DIALECTS.values() if each.names_model):
        path = dialect.path.replace("sentiment", name)
        response = await post(served, dialect._replace(path=path), dialect.ask(["good"]))
        check_error(dialect, response, 404)
    vllm = DIALECTS["vllm"]
    content = json.dumps({"input": "good", "model": name}).encode()
    check_error(vllm, await post(served, vllm, content), 404)


async def test_before_serving_requests_get_503_and_the_time_to_retry(serve, dialect):
    response = await post(serve(opened=False), dialect, dialect.ask(["good"]))
    check_error(dialect, response, 503)
    assert response.headers["retry-after"] == "1"


async def test_a_full_queue_is_429_and_a_timeout_is_504(serve, dialect):
    served = serve(engine=Blocked(), max_texts=2, queue_items=2, request_timeout_seconds=0.2)
    slow(served)
    running = asyncio.create_task(post(served, dialect, dialect.ask(["good"])))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(post(served, dialect, dialect.ask(["good", "bad"])))
    await asyncio.sleep(0.01)
    overloaded = await post(served, dialect, dialect.ask(["good"]))
    check_error(dialect, overloaded, 429)
    assert int(overloaded.headers["retry-after"]) >= 1
    check_error(dialect, await running, 504)
    check_error(dialect, await waiting, 504)
    served.engine.opened.set()
    await served.models.close()


class FailingEngine:
    name = "broken"

    def logits(self, documents):
        raise FloatingPointError("xyzzy")


async def test_an_unexpected_error_is_500_without_its_message(serve, dialect):
    response = await post(serve(engine=FailingEngine()), dialect, dialect.ask(["good"]))
    check_error(dialect, response, 500)
    assert "xyzzy" not in response.text


async def test_no_error_repeats_a_text(serve, dialect):
    canary = "xyzzy-canary-1f3a"
    served = serve(max_characters=100)
    for content in (
        dialect.ask([canary * 10]),
        canary.encode(),
        json.dumps(canary).encode(),
        json.dumps({"inputs": [canary, canary], "input": {"x": canary}}).encode(),
        json.dumps({"inputs": [[canary, canary]]}).encode(),
        json.dumps({"inputs": [{"name": "text", "shape": [canary], "data": [canary]}]}).encode(),
        f'{canary}, {canary}\n"{canary}'.encode(),
    ):
        response = await post(served, dialect, content)
        assert response.status_code in {200, 400, 422}
        assert canary not in response.text
    assert canary not in served.logged.getvalue()


async def test_a_request_is_logged_with_its_model_and_counts(served, dialect):
    await post(served, dialect, dialect.ask(["good movie", "bad"]))
    (line,) = served.lines()
    assert (line["model"], line["texts"], line["tokens"]) == ("sentiment", 2, 3)
    assert "sentiment" not in line["route"]
