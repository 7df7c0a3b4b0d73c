import json
import re

import httpx
import numpy as np
import pytest
from valence.service import errors
from valence.service.api.application import ROUTES
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import KINDS, describe
from valence.service.api.http.router import Router
from valence.service.api.http.routes import Operation, Route
from valence.service.api.operations import health
from valence.service.inference.models import Phase

CANARY = "xyzzy-canary-1f3a"


class FailingEngine:
    name = "broken"

    def logits(self, documents):
        raise FloatingPointError(f"while reading {CANARY}")


class NanEngine:
    """Computes NaN for a text of unknown words."""

    name = "damaged"

    def logits(self, documents):
        rows = np.zeros((len(documents), 3), np.float32)
        rows[[len(document) > 0 and not document.any() for document in documents]] = np.nan
        return rows


def leaf_classes(error: type[errors.ValenceError]) -> list[type[errors.ValenceError]]:
    children = error.__subclasses__()
    return [leaf for child in children for leaf in leaf_classes(child)] if children else [error]


def test_every_request_error_has_an_entry_in_the_table():
    assert set(leaf_classes(errors.RequestError)) == set(KINDS)
    slugs = [kind.slug for kind in KINDS.values()]
    assert len(set(slugs)) == len(slugs)


def test_an_internal_error_reveals_no_details():
    problem = describe(errors.ArtifactError(CANARY))
    assert problem.kind.status == 500
    assert CANARY not in problem.detail


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nothing", 404, "unknown-path"),
        ("GET", "/v1/models/a/b", 404, "unknown-path"),
        ("POST", "/v1/classify/", 404, "unknown-path"),
        ("GET", "/v1/classify", 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
    ],
)
async def test_unknown_paths_and_methods_are_problem_documents(served, method, path, status, slug):
    response = await served.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"urn:valence:problem:{slug}"
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]


async def test_405_names_the_allowed_methods(served):
    assert (await served.client.put("/v1/classify")).headers["allow"] == "POST"


async def test_head_is_answered_like_get(served):
    assert (await served.client.head("/livez")).status_code == 200


@pytest.mark.parametrize("given", ["a", "A-1._b", "x" * 128])
async def test_a_request_id_is_returned(served, given):
    response = await served.client.get("/livez", headers={"x-request-id": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b', "ä".encode("latin-1")])
async def test_a_request_id_that_is_unsafe_in_a_log_is_replaced(served, given):
    response = await served.client.get("/livez", headers={"x-request-id": given})
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", response.headers["x-request-id"])


async def test_request_ids_are_unique(served):
    answers = [await served.client.get("/livez") for _ in range(50)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 50


async def test_an_unexpected_error_is_500_without_message_or_trace(serve):
    served = serve(engine=FailingEngine())
    response = await served.classify(text=CANARY)
    assert response.status_code == 500
    assert response.json()["type"] == "urn:valence:problem:unexpected"
    assert "FloatingPointError" not in response.text
    event, request = served.lines()
    assert event["type"] == "FloatingPointError"
    assert re.fullmatch(r"test_application\.py:\d+", event["location"])
    assert event["request_id"] == request["request_id"] == response.json()["request_id"]
    assert request["level"] == "error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/classify", {"text": CANARY}),
        ("/v1/classify", {"texts": ["good", CANARY], "granularity": "sentence"}),
        ("/v1/classify", {"text": CANARY, "explain": True}),
        ("/predict", {"inputs": CANARY}),
        ("/invocations", {"inputs": CANARY}),
        ("/classify", {"model": "sentiment", "input": CANARY}),
        (
            "/v2/models/sentiment/infer",
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [CANARY]}]},
        ),
    ],
)
async def test_an_answer_that_is_not_finite_is_500_on_every_route(serve, path, body):
    served = serve(engine=NanEngine())
    response = await served.client.post(path, json=body)
    assert response.status_code == 500
    json.loads(response.content, parse_constant=pytest.fail)
    event, request = served.lines()
    assert (event["type"], event["request_id"]) == ("NonFiniteAnswer", request["request_id"])
    assert (request["status"], request["level"]) == (500, "error")
    served.metrics.flush()
    counted = served.metrics.exposition().decode()
    assert 'valence_rejected_requests_total{reason="unexpected"} 1.0' in counted
    assert CANARY not in response.text + served.logged.getvalue() + counted


async def test_a_line_that_is_not_finite_is_the_only_error_of_a_stream(serve):
    served = serve(engine=NanEngine())
    lines = [json.dumps({"text": text}) for text in ("good", CANARY, "bad")]
    answer = await served.client.post(
        "/v1/classify/stream",
        content="\n".join(lines),
        headers={"content-type": "application/x-ndjson"},
    )
    told = [json.loads(line, parse_constant=pytest.fail) for line in answer.text.splitlines()]
    assert ["error" in line for line in told] == [False, True, False]
    assert told[1]["error"]["type"] == "urn:valence:problem:unexpected"


async def test_before_and_after_serving_all_but_liveness_is_503(serve):
    served = serve(opened=False)
    for phase in (Phase.STARTING, Phase.DRAINING):
        served.models.phase = phase
        for path in ("/readyz", "/v1/models", "/v1/models/sentiment"):
            response = await served.client.get(path)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert phase.value in response.json()["detail"]
        assert (await served.classify(text="good")).status_code == 503
        assert (await served.client.get("/livez")).status_code == 200


async def test_no_text_is_in_any_log_line_metric_or_error(serve):
    for served in (serve(max_characters=200, max_body_bytes=2000), serve(engine=FailingEngine())):
        answers = [
            await served.classify(text=CANARY),
            await served.classify(texts=[CANARY] * 2, model="sentiment"),
            await served.classify(text=CANARY * 20),
            await served.classify(text=CANARY, texts=[CANARY]),
            await served.classify(text=[CANARY]),
            await served.client.post("/v1/classify", json=CANARY),
            await served.client.post("/v1/classify", json=[CANARY]),
            await served.client.post("/v1/classify", content=CANARY),
            await served.client.post("/v1/classify", content=f'{{"text": "{CANARY}'),
            await served.client.post("/v1/classify", content=CANARY * 2000),
            await served.client.post("/v1/classify", data={"text": CANARY}),
            await served.client.get(f"/{CANARY}"),
            await served.client.get("/v1/classify", params={"text": CANARY}),
            await served.client.get("/livez", headers={"x-other": CANARY}),
        ]
        for answer in answers:
            assert CANARY not in answer.text
        # names of models and fields return to the client that sent them and appear nowhere else
        await served.classify(text="good", model=CANARY)
        await served.client.post("/v1/classify", json={CANARY: 1})
        await served.client.get(f"/v1/models/{CANARY}")
        assert CANARY not in served.logged.getvalue()
        assert CANARY not in (await served.client.get("/metrics")).text


async def test_each_request_logs_one_json_line_with_its_route(served):
    """The line has the route, not the path."""
    await served.classify(texts=["good movie", "bad"])
    await served.client.get("/v1/models/sentiment?x=1")
    await served.client.get("/somewhere/private")
    await served.client.get("/livez")
    lines = served.lines()
    assert [line["route"] for line in lines] == ["/v1/classify", "/v1/models/{name}", "unmatched"]
    first = lines[0]
    assert first["texts"] == 2
    assert first["tokens"] == 3
    assert first["model"] == "sentiment"
    assert first["duration_ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert set(first) == {
        "time", "level", "event", "method", "route", "status", "duration_ms", "request_id",
        "model", "texts", "tokens",
    }  # fmt: skip
    assert "private" not in json.dumps(lines)


def test_a_route_given_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        Router([*ROUTES, ROUTES[0]])


async def test_an_answer_that_fails_midway_is_logged_safely(served):
    """The log has neither the message nor any content."""

    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(CANARY)

    async def handler(context, request):
        return Outcome(broken)

    route = Route(
        method="POST",
        path="/own",
        handler=handler,
        operation=Operation(summary="", description="", tag="", response="text/plain"),
    )
    served.app._router = Router([route])
    # the server notices that the answer was not finished
    with pytest.raises(AssertionError):
        await served.client.post("/own")
    assert [line["event"] for line in served.lines()] == ["answer cut short", "request"]
    assert CANARY not in served.logged.getvalue()


async def test_a_dialect_formats_its_own_errors(served):
    from valence.service.api.http.response import Response

    async def fail(context, request):
        raise errors.UnknownModel("gone")

    route = Route(
        method="POST",
        path="/own",
        handler=fail,
        operation=Operation(summary="", description="", tag="", response="text/plain"),
        refuse=lambda problem, request_id: Response(
            problem.detail.encode(), status=418, media_type="text/plain"
        ),
    )
    served.app._router = Router([route])
    response = await served.client.post("/own")
    assert (response.status_code, response.text) == (418, "gone")


async def test_a_trace_continues_in_the_answer_and_the_log(served):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await served.client.post(
        "/v1/classify",
        json={"text": "good"},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    version, own_trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, own_trace, flags) == ("00", trace, "01")
    assert span != "00f067aa0ba902b7"
    assert served.lines()[-1]["trace_id"] == trace


@pytest.mark.parametrize("given", [None, "", "nonsense", f"00-{CANARY}-00f067aa0ba902b7-01"])
async def test_without_a_trace_neither_answer_nor_log_has_one(served, given):
    headers = {} if given is None else {"traceparent": given}
    answer = await served.client.post("/v1/classify", json={"text": "good"}, headers=headers)
    assert answer.status_code == 200
    assert "traceparent" not in answer.headers
    assert "trace_id" not in served.lines()[-1]


class RecordingTracer:
    """Tracer that records its calls."""

    def __init__(self):
        self.finished = []

    def start(self, parent, *, method):
        from opentelemetry.trace import NonRecordingSpan, SpanContext

        return NonRecordingSpan(SpanContext((parent and int(parent.trace_id, 16)) or 7, 5, False))

    def finish(self, span, record):
        self.finished.append(record)


async def test_with_a_collector_every_request_becomes_a_span(serve):
    """Probes make no spans, and no span holds a text."""
    tracer = RecordingTracer()
    served = serve(tracer=tracer)
    answer = await served.client.post("/v1/classify", json={"texts": [f"good {CANARY}", "bad"]})
    assert answer.headers["traceparent"] == f"00-{7:032x}-{5:016x}-00"
    await served.client.post("/v1/classify", content=CANARY)
    await served.client.get("/livez")
    done, refused = tracer.finished
    assert (done.route, done.status, done.texts) == ("/v1/classify", 200, 2)
    assert list(done.stages) == ["tokenize", "queue", "infer"]
    assert all(seconds >= 0 for seconds in done.stages.values())
    assert (refused.status, refused.stages) == (400, None)
    assert CANARY not in repr(tracer.finished)


async def test_a_restricted_application_answers_its_routes_alone(serve):
    """With the same keys, metrics and models as the whole one."""
    served = serve()
    admin = served.app.restrict(health.ADMIN_ROUTES)
    transport = httpx.ASGITransport(app=admin)
    async with httpx.AsyncClient(transport=transport, base_url="http://valence") as client:
        for path in ("/livez", "/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        for path in ("/v1/classify", "/", "/openapi.json"):
            assert (await client.get(path)).status_code == 404
        told = (await client.get("/metrics")).text
    assert 'valence_rejected_requests_total{reason="unknown-path"} 3.0' in told
    assert (await served.client.get("/v1/models")).status_code == 200
