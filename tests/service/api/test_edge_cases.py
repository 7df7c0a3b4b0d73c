"""The same edge cases of JSON on every route that reads JSON, and the same answers to them.

Each case changes a request that is answered with 200. The answer must equal that of the unchanged
request, or have the status of the case, whatever server's clients the route is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from valence.service.api.application import ROUTES

BOM = b"\xef\xbb\xbf"


class Body(NamedTuple):
    """A request of a route: its path, its fields, and a form of it with null in each optional."""

    path: str
    fields: dict[str, Any]
    nulls: dict[str, Any]
    media_type: str = "application/json"
    grows: bool = False
    """Whether clients add fields with each of their versions, which are not read."""


def tensor(**fields: Any) -> dict[str, Any]:
    return {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good bad bad"], **fields}


_PREDICT = {"inputs": "good bad bad"}
_PREDICT_NULLS = {
    **dict.fromkeys(("parameters", "truncate", "truncation_direction", "raw_scores", "options")),
    **_PREDICT,
}
_TASKS = {"project": "1.1", "tasks": [{"id": 1, "data": {"text": "good bad bad"}}]}
_TASKS_NULLS = {"label_config": None, "params": None, **_TASKS}
_CHOICES = "".join(f'<Choice value="{label}"/>' for label in ("negative", "neutral", "positive"))
_PROJECT = {
    "schema": '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    f"{_CHOICES}</Choices></View>",
    "project": "good bad bad",
}
_PROJECT_NULLS = {"extra_params": None, **_PROJECT}
BODIES = {
    "classify": Body(
        "/v1/classify",
        {"text": "good bad bad"},
        {
            "text": "good bad bad",
            **dict.fromkeys(("texts", "id", "ids", "model", "top_k", "min_confidence")),
            **dict.fromkeys(("truncation", "granularity", "explain")),
        },
    ),
    "stream": Body(
        "/v1/classify/stream",
        {"text": "good bad bad"},
        {"id": None, "text": "good bad bad"},
        "application/x-ndjson",
    ),
    "activations": Body(
        "/v1/activations",
        {"text": "good bad bad"},
        {"text": "good bad bad", "model": None, "units": None},
    ),
    "tei": Body("/predict", _PREDICT, _PREDICT_NULLS),
    "tei root": Body("/", _PREDICT, _PREDICT_NULLS),
    "hub": Body(
        "/models/sentiment",
        {**_PREDICT, "parameters": {"top_k": 3}},
        {**_PREDICT_NULLS, "parameters": {"top_k": 3, "function_to_apply": None}},
    ),
    "vllm": Body(
        "/classify",
        {"input": "good bad bad", "request_id": "a"},
        {
            "request_id": "a",
            **dict.fromkeys(("model", "truncate_prompt_tokens", "truncation_side", "softmax")),
            **dict.fromkeys(("use_activation", "priority", "user", "activation", "padding")),
            **dict.fromkeys(("add_special_tokens", "encoding_format", "cache_salt")),
            "mm_processor_kwargs": None,
            "input": "good bad bad",
        },
    ),
    "detectors": Body(
        "/api/v1/text/contents",
        {"contents": ["good bad bad"], "detector_params": {"threshold": 0.1}},
        {"contents": ["good bad bad"], "detector_params": {"threshold": 0.1}},
    ),
    "open inference": Body(
        "/v2/models/sentiment/infer",
        {"inputs": [tensor()], "outputs": [{"name": "label"}]},
        {
            "id": None,
            "parameters": None,
            "inputs": [tensor(parameters=None)],
            "outputs": [{"name": "label", "parameters": None}],
        },
    ),
    "open inference, version": Body(
        "/v2/models/sentiment/versions/1/infer",
        {"inputs": [tensor()]},
        {"id": None, "parameters": {"truncation": None}, "inputs": [tensor()], "outputs": None},
    ),
    "label studio": Body("/label-studio/predict", _TASKS, _TASKS_NULLS, grows=True),
    "label studio, model": Body(
        "/label-studio/sentiment/predict", _TASKS, _TASKS_NULLS, grows=True
    ),
    "label studio, setup": Body("/label-studio/setup", _PROJECT, _PROJECT_NULLS, grows=True),
    "label studio, setup, model": Body(
        "/label-studio/sentiment/setup", _PROJECT, _PROJECT_NULLS, grows=True
    ),
    "sagemaker": Body("/invocations", _PREDICT, _PREDICT_NULLS),
    "sagemaker lines": Body("/invocations", _PREDICT, _PREDICT, "application/jsonlines"),
}


def write(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def twice(body: Body) -> bytes:
    """The body with its last field twice."""
    whole = write(body.fields)
    name, value = list(body.fields.items())[-1]
    return whole[:-1] + b", " + write({name: value})[1:]


class Case(NamedTuple):
    """What is sent, and the status; 200 means the answer of the unchanged request."""

    change: Callable[[Body], bytes]
    status: int


CASES = {
    "a byte order mark": Case(lambda body: BOM + write(body.fields), 200),
    "two byte order marks": Case(lambda body: BOM + BOM + write(body.fields), 400),
    "blanks around": Case(lambda body: b" \t" + write(body.fields) + b"\r", 200),
    "null in optional fields": Case(lambda body: write(body.nulls), 200),
    "null in optional fields after a mark": Case(lambda body: BOM + write(body.nulls), 200),
    "null in an unknown field": Case(lambda body: write({**body.fields, "nothing": None}), 422),
    "an unknown field": Case(lambda body: write({**body.fields, "nothing": 1}), 422),
    "a field twice": Case(twice, 422),
    "a field twice beside nulls": Case(lambda body: twice(body._replace(fields=body.nulls)), 422),
    "trailing data": Case(lambda body: write(body.fields) + b" {}", 400),
    "trailing bytes": Case(lambda body: write(body.fields) + b"x", 400),
    "a trailing comma": Case(lambda body: write(body.fields)[:-1] + b",}", 400),
    "a comment": Case(lambda body: b"/* */" + write(body.fields), 400),
    "a list": Case(lambda body: b"[" + write(body.fields) + b"]", 422),
    "a number": Case(lambda _body: b"3", 422),
    "null": Case(lambda _body: b"null", 422),
    "a lone surrogate": Case(
        lambda body: write(body.fields).replace(b"good bad bad", b"\\ud800"), 400
    ),
    "bytes that are not UTF-8": Case(
        lambda body: write(body.fields).replace(b"good bad bad", b"\xff"), 400
    ),
}
_STATUSES = {"malformed-body": 400, "invalid-request": 422}


async def answer(served: Any, body: Body, content: bytes) -> tuple[int, bytes]:
    """The status and the content; the error of a stream's only line has its own status."""
    response = await served.client.post(
        body.path, content=content, headers={"content-type": body.media_type}
    )
    if body.path.endswith("/stream") and response.status_code == 200:
        (line,) = response.text.splitlines()
        if error := json.loads(line).get("error"):
            return _STATUSES[error["type"].rpartition(":")[2]], response.content
    return response.status_code, response.content


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("route", BODIES)
async def test_every_route_gives_an_edge_case_the_same_answer(served, monkeypatch, route, case):
    monkeypatch.setattr("valence.service.api.dialects.vllm.seconds_since_1970", lambda: 0)
    monkeypatch.setattr(served.app.context.issuer, "issue", lambda *_: "")
    body, (change, expected) = BODIES[route], CASES[case]
    if body.grows and "an unknown field" in case:
        expected = 200
    status, content = await answer(served, body, change(body))
    assert status == expected, content
    if expected == 200:
        assert (status, content) == await answer(served, body, write(body.fields))


def test_every_route_that_reads_json_is_in_the_table() -> None:
    reading = {
        route.path.format(name="sentiment", version="1")
        for route in ROUTES
        # the bodies of operators, and feedback, have no text to classify
        if route.operation.request is not None and route.scope == "classify"
    }
    assert {body.path for body in BODIES.values()} == reading
