from __future__ import annotations

import asyncio
import json
import time
from typing import Any, get_type_hints

import httpx
import pytest
import valence
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from valence.service.api.v1 import schemas
from valence.service.client.answer import Options, list_items
from valence.service.errors import ConfigurationError, InvalidTexts

TEXTS = ["good", "bad movie", "", "zzz", "not very good !"]


def counted(app):
    """An application, and the paths and numbers of texts of the requests that it was sent."""
    requests: list[tuple[str, int]] = []

    async def counting(scope, receive, send) -> None:
        body = await Request(scope, receive).body()
        requests.append((scope["path"], len(json.loads(body or b"{}").get("texts", ()))))
        sent = False

        async def receive_again() -> Any:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await app(scope, receive_again, send)

    return counting, requests


async def test_one_text_has_one_result(serve, connect):
    served = serve()
    app, requests = counted(served.app)
    answer = await connect(app).call("classify", "good movie", top_k=1)
    (expected,) = (await served.classify(text="good movie", top_k=1)).json()["results"]
    assert answer.result.model_dump(exclude_defaults=True) == expected
    assert answer.labels == [expected["label"]]
    assert [model.name for model in answer.models] == ["sentiment"]
    assert requests == [("/v1/classify", 1)]


async def test_several_texts_have_the_answers_of_http(serve, connect):
    served = serve()
    answer = await connect(served.app).call("classify", TEXTS, truncation="tail")
    expected = (await served.classify(texts=TEXTS, truncation="tail")).json()
    results = schemas.ClassifyResponse.model_validate(expected).results
    assert answer.results == results
    assert answer.usage.model_dump() == expected["usage"]
    assert answer.labels[2:4] == ["uncertain", "uncertain"]
    with pytest.raises(ValueError, match="unpack"):
        _ = answer.result


async def test_texts_are_cut_by_the_limit_of_the_server(serve, connect):
    served = serve(max_texts=3)
    app, requests = counted(served.app)
    client = connect(app)
    texts = [f"good {'bad ' * (number % 4)}" for number in range(8)]
    answer = await client.call("classify", texts)
    assert [count for _, count in requests] == [0, 3, 3, 2]
    assert answer.usage.texts == len(answer.results) == 8
    alone = [await client.call("classify", text) for text in texts]
    assert answer.results == [one.result for one in alone]
    assert await client.call("stream", iter(texts)) == list(answer.results)
    issuer = served.app.context.issuer
    ids = [issuer.read(name).text for name in answer.prediction_ids]
    assert len(set(ids)) == 8
    assert [name.rpartition(".")[2] for name in ids] == ["0", "1", "2", "0", "1", "2", "0", "1"]
    # the limits are asked for once
    assert [path for path, _ in requests].count("/v1/models") == 1


async def test_bodies_are_cut_by_their_size(serve, connect):
    served = serve(max_body_bytes=1024)
    app, requests = counted(served.app)
    texts = ["good " * 60] * 9
    answer = await connect(app).call("classify", texts, model="sentiment")
    assert answer.usage.texts == 9
    assert requests[0] == ("/v1/models/sentiment", 0)
    assert [count for _, count in requests[1:]] == [3, 3, 3]


async def test_a_request_that_costs_too_much_is_halved(serve, connect):
    served = serve(max_windows=3)
    app, requests = counted(served.app)
    texts = ["good " * 120] * 4
    answer = await connect(app).call("classify", texts, truncation="window")
    assert [result.usage.windows for result in answer.results] == [3] * 4
    assert [count for _, count in requests] == [0, 4, 2, 1, 1, 2, 1, 1]


async def test_a_limit_that_sank_meanwhile_is_learnt(serve, connect):
    now = [serve(max_texts=8)]

    async def app(scope, receive, send) -> None:
        await now[0].app(scope, receive, send)

    client = connect(app)
    await client.call("classify", ["good"] * 8)
    now[0] = serve(max_texts=2)
    assert (await client.call("classify", ["good"] * 8)).usage.texts == 8
    assert (await client.call("explain", ["good"] * 3)).usage.texts == 3


async def test_a_text_that_is_refused_costs_the_others_nothing(serve, connect):
    served = serve(max_characters=20, max_texts=2)
    client = connect(served.app)
    long = "good " * 9
    texts = ["good", long, long, long, "bad", long]
    answer = await client.call("classify", texts)
    assert [result is None for result in answer.results] == [text == long for text in texts]
    assert [error.index for error in answer.errors] == [1, 2, 3, 5]
    assert all("45 characters, a text may have 20" in error.detail for error in answer.errors)
    assert {error.type for error in answer.errors} <= {
        "urn:valence:problem:invalid-request",
        "urn:valence:problem:text-too-long",
    }
    assert answer.usage.texts == 2
    assert await client.call("stream", texts) == list(list_items(answer))
    with pytest.raises(valence.ServiceRefused, match=r"422 .*45 characters"):
        await client.call("classify", long)


async def test_each_of_many_refused_texts_has_its_own_error(serve, connect):
    """The service tells the first twenty faults of a request."""
    served = serve(max_characters=20)
    texts = ["good " * (5 + number) for number in range(50)]
    answer = await connect(served.app).call("classify", texts)
    assert [error.index for error in answer.errors] == list(range(50))
    for text, error in zip(texts, answer.errors, strict=True):
        assert error.detail.startswith(f"{len(text)} characters")


async def test_explanations_come_with_results(serve, connect):
    answer = await connect(serve().app).call("explain", ["good movie"] * 33)
    tokens = answer.results[32].explanation.tokens
    assert [(token.start, token.end) for token in tokens] == [(0, 4), (5, 10)]


async def test_no_texts_need_no_request(serve, connect):
    app, requests = counted(serve().app)
    client = connect(app)
    answer = await client.call("classify", [])
    assert (answer.results, answer.errors, answer.usage.texts) == ([], [], 0)
    assert await client.call("stream", []) == []
    assert requests == []


async def test_models_are_described(serve, connect):
    client = connect(serve(max_texts=7).app)
    (card,) = await client.call("models")
    assert (card.name, card.limits.max_texts, card.default) == ("sentiment", 7, True)
    assert await client.call("model", "sentiment:1") == card
    with pytest.raises(valence.ServiceRefused, match=r"404 .*no such") as refused:
        await client.call("model", "no such")
    assert refused.value.problem["type"] == "urn:valence:problem:unknown-model"


async def test_a_fault_of_the_request_carries_the_problem(serve, connect):
    client = connect(serve().app)
    with pytest.raises(valence.ServiceRefused) as refused:
        await client.call("classify", TEXTS, min_confidence=7)
    error = refused.value
    assert (error.status, error.problem["status"]) == (422, 422)
    assert [fault["location"] for fault in error.problem["errors"]] == ["min_confidence"]
    assert error.problem["request_id"]
    with pytest.raises(valence.ServiceRefused, match=r"404 .*'nothing' is not served"):
        await client.call("classify", TEXTS, model="nothing")


async def test_rows_that_are_no_texts_are_refused_before_a_request(serve, connect):
    app, requests = counted(serve().app)
    client = connect(app)
    for method in ("classify", "explain"):
        with pytest.raises(InvalidTexts, match=r"row 1 .*missing"):
            await client.call(method, ["good", None])
    with pytest.raises(InvalidTexts, match=r"row 0 .*half of a character"):
        await client.call("classify", "\ud800")
    assert requests == []
    with pytest.raises(ConfigurationError, match="timeout=0"):
        await client.call("classify", "good", timeout=0)


@pytest.mark.parametrize("sound", range(6))
async def test_a_stream_gives_all_results_before_a_fault(serve, sound):
    transport = httpx.ASGITransport(serve(max_texts=2).app)
    async with httpx.AsyncClient(transport=transport) as http:
        client = valence.AsyncClient("http://valence", http=http)
        stream = client.stream(iter(["good"] * sound + [None]))
        for _ in range(sound):
            assert (await anext(stream)).usage.tokens == 1
        with pytest.raises(InvalidTexts, match=f"row {sound} "):
            await anext(stream)


async def test_a_refusal_for_now_is_waited_for(serve, connect):
    served = serve()
    refusals = [("429", "1"), ("503", "0")]

    async def app(scope, receive, send) -> None:
        if refusals:
            status, seconds = refusals.pop()
            response = PlainTextResponse("no", int(status), {"retry-after": seconds})
            await response(scope, receive, send)
        else:
            await served.app(scope, receive, send)

    started = time.monotonic()
    answer = await connect(app).call("classify", "good")
    assert answer.usage.texts == 1
    assert time.monotonic() - started >= 1


async def test_an_answer_that_trickles_ends_in_time_for_a_loop():
    async def trickle():
        for _ in range(30):
            yield b" "
            await asyncio.sleep(0.05)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(valence.ServiceUnreachable, match="did not arrive in time"):
            await valence.AsyncClient(http=http).models(timeout=0.2)


def test_an_answer_that_trickles_ends_in_time():
    def trickle():
        for _ in range(30):
            yield b" "
            time.sleep(0.05)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    with (
        httpx.Client(transport=transport) as http,
        pytest.raises(valence.ServiceUnreachable, match="did not arrive in time"),
    ):
        valence.Client(http=http).models(timeout=0.2)


async def test_what_is_no_answer_of_valence_is_told_without_it(connect):
    async def app(scope, receive, send) -> None:
        await PlainTextResponse('{"secret": 1}')(scope, receive, send)

    with pytest.raises(valence.ServiceError, match=r"not one of Valence.*address") as refused:
        await connect(app).call("models")
    assert "secret" not in str(refused.value)


async def test_a_key_is_sent_and_never_shown(connect, caplog):
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(dict(scope["headers"])[b"authorization"])
        await PlainTextResponse("no", 401)(scope, receive, send)

    caplog.set_level("DEBUG")
    with pytest.raises(valence.ServiceRefused, match="401") as refused:
        await connect(app, key="vk_secret").call("models")
    assert seen == [b"Bearer vk_secret"]
    assert "vk_secret" not in str(refused.value) + caplog.text


def test_the_options_are_those_of_a_request():
    named = get_type_hints(Options).keys() | {"explain"}
    assert named == schemas.Options.model_fields.keys()
