import asyncio
import json
import math
import re
import time

import httpx
import pytest
from valence.service.api.v1.classification import classify_in_process
from valence.service.api.v1.schemas import ClassifyResponse
from valence.service.classifier import artifact
from valence.service.errors import InvalidRequest
from valence.service.inference.request_cost import RequestCost, RequestLimits

from tests.support.blocked_engines import Blocked, slow

LABELS = ("negative", "neutral", "positive")


def softmax(*logits: float) -> dict[str, float]:
    # the temperature of the tiny model is 1.25
    powers = [math.exp(logit / 1.25) for logit in logits]
    return {label: power / sum(powers) for label, power in zip(LABELS, powers, strict=True)}


async def test_one_text_gets_all_calibrated_scores_in_order(served):
    # the logits of the counting engine are the counts of "good", "bad" and "movie"
    response = await served.classify(text="Good good movie unheard-of.")
    assert response.status_code == 200
    expected = softmax(2, 0, 1)
    (result,) = response.json()["results"]
    assert result["label"] == "negative"
    assert result["labels"] == ["negative"]
    assert [score["label"] for score in result["scores"]] == ["negative", "positive", "neutral"]
    for score in result["scores"]:
        assert score["score"] == pytest.approx(expected[score["label"]], abs=1e-9)
    assert sum(score["score"] for score in result["scores"]) == pytest.approx(1, abs=1e-12)
    assert result["polarity"] == pytest.approx(expected["positive"] - expected["negative"])
    assert response.json()["model"] == {"name": "sentiment", "version": "1"}


@pytest.mark.parametrize(
    "options",
    [{}, {"top_k": 1}, {"min_confidence": 0.6}, {"unreadable": "label"}, {"truncation": "window"}],
)
async def test_results_have_the_same_bytes_with_and_without_names(served, options):
    """The kernel writes results without names, and pydantic those with names."""
    texts = ["Good good movie unheard-of.", "", "42 \U0001f600", "bad " * 40] * 9
    plain = await served.classify(texts=texts, **options)
    named = await served.classify(texts=texts, ids=["x"] * len(texts), **options)
    assert plain.status_code == named.status_code == 200
    written, expected = (
        re.sub(rb'"prediction_id":"[^"]*"', b"", response.content) for response in (plain, named)
    )
    assert written == expected.replace(b'"id":"x",', b"")


async def test_a_multi_label_model_gives_labels_over_their_thresholds(
    serve, save_tiny, tmp_path, counting_engine
):
    folder = save_tiny(tmp_path / "tags", name="tags", thresholds={"business": 0.6, "sport": 0.7})
    # the logits of the counting engine are the counts of "good" and "bad"
    counting_engine.labels = 2
    served = serve(artifact=artifact.load(folder))
    response = await served.classify(texts=["good bad bad", "good", "movie"])
    ClassifyResponse.model_validate_json(response.content, strict=True)
    both, one, none = response.json()["results"]
    assert [result["labels"] for result in (both, one, none)] == [
        ["business", "sport"],
        ["business"],
        [],
    ]
    assert both["label"] == "sport"
    assert [score["label"] for score in both["scores"]] == ["sport", "business"]
    scores = [score["score"] for score in both["scores"]]
    assert scores == pytest.approx([1 / (1 + math.exp(-n / 1.25)) for n in (2, 1)])
    assert none["polarity"] is None
    (card,) = (await served.client.get("/v1/models")).json()["models"]
    assert card["task"] == "multi_label"
    assert card["thresholds"] == {"business": 0.6, "sport": 0.7}
    counted = (await served.client.get("/metrics")).text
    labels = 'model="tags",version="1"'
    assert f'valence_predictions_total{{label="business",{labels}}} 2.0' in counted
    assert f'valence_predictions_total{{label="sport",{labels}}} 1.0' in counted


async def test_usage_counts_tokens_per_text_and_in_total(served):
    response = await served.classify(texts=["good " * 60, "unheard of", ""])
    usages = [list(result["usage"].items()) for result in response.json()["results"]]
    names = ("characters", "tokens", "tokens_used", "unknown_tokens", "truncated", "windows")
    assert usages == [
        list(zip(names, values, strict=True))
        for values in [(300, 60, 50, 0, True, 1), (10, 2, 2, 2, False, 1), (0, 0, 0, 0, False, 1)]
    ]
    assert response.json()["usage"] == {
        "texts": 3,
        "characters": 310,
        "tokens": 62,
        "tokens_used": 52,
        "unknown_tokens": 2,
        "truncated_texts": 1,
    }


async def test_one_text_and_many_texts_get_the_same_results(served):
    alone = (await served.classify(text="not good")).json()
    batch = (await served.classify(texts=["bad", "not good", "movie"])).json()
    assert alone["results"][0] == batch["results"][1]
    listed = (await served.classify(texts=["not good"])).json()
    # each answer has an id of its own
    assert alone.pop("prediction_id") != listed.pop("prediction_id")
    assert alone == listed
    ClassifyResponse.model_validate_json((await served.classify(text="good")).content, strict=True)


@pytest.mark.parametrize(("top_k", "kept"), [(1, 1), (2, 2), (3, 3), (4, 3)])
async def test_top_k_keeps_the_likeliest(served, top_k, kept):
    whole = (await served.classify(text="good movie movie")).json()["results"][0]["scores"]
    cut = (await served.classify(text="good movie movie", top_k=top_k)).json()["results"][0]
    assert cut["scores"] == whole[:kept]


@pytest.mark.parametrize("name", ["sentiment", "sentiment:1"])
async def test_a_model_can_be_named_with_or_without_its_version(served, name):
    assert (await served.classify(text="good", model=name)).status_code == 200


@pytest.mark.parametrize("name", ["nothing", "sentiment:2", "sentiment:", ":1"])
async def test_an_unknown_model_is_404_and_lists_the_models(served, name):
    response = await served.classify(text="good", model=name)
    assert response.status_code == 404
    assert "sentiment:1" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body"),
        ({"text": "a", "texts": ["b"]}, "body"),
        ({"text": 3}, "text"),
        ({"texts": []}, "texts"),
        ({"texts": ["a", None]}, "texts.1"),
        ({"texts": "a"}, "texts"),
        ({"text": "a", "top_k": 0}, "top_k"),
        ({"text": "a", "top_k": True}, "top_k"),
        ({"text": "a", "topk": 1}, "topk"),
        ({"text": None}, "body"),
        ({"text": "a", "model": ""}, "model"),
        ({"text": "a", "model": "m" * 129}, "model"),
        (["a"], "body"),
        ("a", "body"),
        (3, "body"),
    ],
)
async def test_a_wrong_shape_is_422_and_names_the_field(served, body, location):
    response = await served.client.post("/v1/classify", json=body)
    assert response.status_code == 422
    assert [fault["location"] for fault in response.json()["errors"]] == [location]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"text": "a"',
        b"text=a",
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b"[" * 9999,
    ],
)
async def test_invalid_json_is_400(served, body):
    response = await served.client.post("/v1/classify", content=body)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:valence:problem:malformed-body"


@pytest.mark.parametrize(
    "text",
    ["\u0000", "\u202e", "\ufffd", "\U0001f937\u200d\u2640", "e\u0301", "\u2028", "a" * 5000],
)
async def test_unusual_text_is_scored_as_text(served, text):
    response = await served.classify(text=text)
    assert response.status_code == 200
    assert response.json()["usage"]["characters"] == len(text)


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 422)])
async def test_the_number_of_texts_is_limited(serve, count, status):
    response = await serve(max_texts=3).classify(texts=["good"] * count)
    assert response.status_code == status


@pytest.mark.parametrize(("length", "status"), [(10, 200), (11, 422)])
async def test_the_characters_of_a_text_are_limited(serve, length, status):
    served = serve(max_characters=10)
    response = await served.classify(text="é" * length)
    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["location"] == "text"


def json_of(size: int) -> bytes:
    return b'{"text": "' + b"a" * (size - 12) + b'"}'


@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_bytes_of_a_body_are_limited(serve, size, status, chunked):
    """Whether sent with a length or in chunks."""

    async def chunks():
        for start in range(0, size, 700):
            yield json_of(size)[start : start + 700]

    content = chunks() if chunked else json_of(size)
    response = await serve(max_body_bytes=2000).client.post("/v1/classify", content=content)
    assert response.status_code == status


async def test_a_declared_length_over_the_limit_is_refused_unread(serve):
    async def never():
        raise AssertionError("the body was read")
        yield b""

    response = await serve().client.post(
        "/v1/classify", content=never(), headers={"content-length": str(10**30)}
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "Application/JSON; charset=utf-8"}, 200),
        ({}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-encoding": "identity"}, 200),
        ({"content-encoding": "Identity"}, 200),
        ({"content-encoding": "identity, gzip"}, 415),
        ({"content-type": 'application/json; charset="UTF-8"; profile=a'}, 200),
        ({"content-type": "application/json;charset=us-ascii"}, 200),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/json; profile=a; Charset=latin-1"}, 415),
    ],
)
async def test_only_uncompressed_json_is_accepted(served, headers, status):
    response = await served.client.post(
        "/v1/classify", content=b'{"text": "good"}', headers=headers
    )
    assert response.status_code == status


async def test_a_full_queue_is_429_with_the_time_to_retry_after(serve):
    served = serve(engine=Blocked(), max_texts=2, queue_items=2)
    slow(served)
    running = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(served.classify(texts=["good good", "bad"]))
    await asyncio.sleep(0.01)
    response = await served.classify(text="good")
    assert response.status_code == 429
    # three tokens wait and are drained at one a second
    assert response.headers["retry-after"] == "3"
    served.engine.opened.set()
    assert (await running).status_code == (await waiting).status_code == 200


async def test_a_timeout_is_504_and_the_request_leaves_the_queue(serve):
    served = serve(engine=Blocked(), request_timeout_seconds=0.05)
    slow(served)
    first = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(served.classify(text="bad"))
    assert (await first).status_code == (await second).status_code == 504
    served.engine.opened.set()
    await served.models.close()
    assert served.engine.batches == 1


async def test_the_request_of_a_disconnected_client_leaves_the_queue(serve):
    served = serve(engine=Blocked())
    slow(served)
    running = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0.01)
    body = iter([{"type": "http.request", "body": b'{"text": "bad"}'}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(body)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": []}
    await served.app(scope, receive, send)
    assert sent == []
    assert served.lines()[-1]["status"] == 499
    served.engine.opened.set()
    assert (await running).status_code == 200
    await served.models.close()
    assert served.engine.batches == 1


async def test_a_client_that_disconnects_while_sending_gets_no_answer(served):
    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError("nobody is there")

    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": []}
    await served.app(scope, receive, send)
    assert served.lines()[-1]["status"] == 499


async def test_a_large_request_lets_others_run(served):
    large = asyncio.create_task(served.classify(texts=["good movie " * 100] * 1000))
    await asyncio.sleep(0)
    small: httpx.Response = await served.classify(text="bad")
    assert small.status_code == 200
    assert not large.done()
    assert (await large).status_code == 200


async def test_the_in_process_call_gives_the_answer_of_http(served):
    context = served.app.context
    content = await classify_in_process(context, {"texts": ["good"], "top_k": 1})
    answer = (await served.classify(texts=["good"], top_k=1)).json()
    assert content.pop("prediction_id") != answer.pop("prediction_id")
    assert content == answer
    with pytest.raises(InvalidRequest, match="texts"):
        await classify_in_process(context, {"texts": "good"})


@pytest.mark.parametrize("over_http", [True, False])
async def test_an_explanation_gets_the_time_the_scores_left(served, monkeypatch, over_http):
    batcher, allowed = served.models.get()._batcher, []
    submit = batcher.submit_work

    def slow(work, documents, *, within_seconds, **options):
        allowed.append(within_seconds)
        time.sleep(0.1)
        return submit(work, documents, within_seconds=within_seconds, **options)

    monkeypatch.setattr(batcher, "submit_work", slow)
    fields = {"text": "good", "explain": True}
    if over_http:
        assert (await served.classify(**fields)).status_code == 200
    else:
        await classify_in_process(served.app.context, fields)
    scored, explained = allowed
    assert scored - explained >= 0.1


WORDS, SENTENCES = "a " * 50_000, "a. " * 33_000


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("/v1/classify", {"texts": [WORDS] * 32, "explain": True}, "max_explained_tokens"),
        ("/v1/classify", {"texts": [SENTENCES] * 32, "granularity": "sentence"}, "max_windows"),
        ("/v1/classify", {"texts": ["good"] * 200}, "max_answer_bytes"),
        ("/predict", {"inputs": [["good"]] * 200}, "max_answer_bytes"),
        ("/classify", {"input": ["good"] * 200}, "max_answer_bytes"),
        ("/invocations", {"inputs": [["good"]] * 200}, "max_answer_bytes"),
        (
            "/v2/models/sentiment/infer",
            {
                "inputs": [
                    {"name": "text", "shape": [200], "datatype": "BYTES", "data": ["good"] * 200}
                ]
            },
            "max_answer_bytes",
        ),
        ("/v1/activations", {"text": WORDS, "units": 1024}, "max_answer_bytes"),
    ],
)
async def test_a_request_that_costs_too_much_is_422_unscored(serve, path, content, said):
    """Whatever the dialect; the error names the limit, which the model's card says."""
    limits = {} if said != "max_answer_bytes" else {"max_answer_bytes": 65_536}
    served = serve(**limits)
    if path == "/v1/activations":
        served.models.get()._limits = RequestLimits(max_answer_bytes=1_000)
    response = await served.client.post(path, json=content)
    assert response.status_code == 422
    assert said in response.text
    assert "send fewer or shorter texts per request" in response.text
    assert served.engine.calls == []
    (card,) = (await served.client.get("/v1/models")).json()["models"]
    assert card["limits"][said] == getattr(served.app.context.settings, said)
    assert served.app._bodies.held_bytes == 0


@pytest.mark.parametrize(
    "asked",
    [
        {"texts": ["good bad"] * 150},
        {"texts": ["Good. Bad."] * 150, "granularity": "sentence"},
        {"texts": ["good bad"] * 30, "explain": True},
    ],
)
async def test_an_answer_is_no_larger_than_was_counted(serve, asked, monkeypatch):
    counted = []
    monkeypatch.setattr(RequestCost, "hold", lambda cost, _: counted.append(cost.answer_bytes))
    served = serve()
    served.models.get()._few_texts = 1
    response = await served.classify(**asked)
    assert response.status_code == 200
    # the envelope of an answer has some hundred bytes
    assert len(response.content) - 300 < counted[-1] < 6 * len(response.content)


async def test_what_a_large_request_holds_is_counted_and_released(serve):
    served = serve(engine=Blocked(), body_memory_bytes=4 * 1024 * 1024)
    slow(served)
    bodies = served.app._bodies
    asked = {"texts": ["Good movie. " * 2_000] * 4, "granularity": "sentence"}
    served.models.get()._limits = RequestLimits(max_windows=10**6)
    running = asyncio.create_task(served.classify(**asked))
    while bodies.held_bytes <= 4 * 2**20:
        assert not running.done(), running.result().text
        await asyncio.sleep(0.01)
    refused = await served.classify(texts=["good " * 2_000] * 2)
    assert refused.status_code == 429
    assert "memory for bodies, texts and answers" in refused.json()["detail"]
    served.engine.opened.set()
    assert (await running).status_code == 200
    assert bodies.held_bytes == 0


@pytest.mark.parametrize("path", ["/v1/classify", "/classify"])
async def test_work_ends_when_the_client_of_a_large_request_leaves(served, monkeypatch, path):
    """Also before its texts are in the queue."""
    monkeypatch.setattr("valence.service.api.http.disconnect._WATCH_AFTER_SECONDS", 0.01)
    texts = ["Good movie. " * 8_000] * 40
    asked = {"texts": texts, "truncation": "window"} if path[1] == "v" else {"input": texts}
    body = json.dumps(asked).encode()
    messages = [{"type": "http.request", "body": body}]

    async def receive():
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError("nobody is there")

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    started = time.perf_counter()
    await served.app(scope, receive, send)
    assert served.lines()[-1]["status"] == 499
    assert served.lines()[-1]["model"] == "sentiment"
    assert time.perf_counter() - started < 1.5
    assert served.engine.calls == []
    assert served.app._bodies.held_bytes == 0
    assert (await served.classify(text="good")).status_code == 200
