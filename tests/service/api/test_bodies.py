"""Request bodies that arrive slowly, exceed the limit, or repeat a field."""

import asyncio
import json

import pytest
from valence.service.api.http.body_limits import BodyLimits
from valence.service.api.http.request import Request
from valence.service.errors import BodyTooLarge, BodyTooSlow, Overloaded

SCOPE = {"type": "http", "headers": [], "method": "POST", "path": "/"}


def request_of(limits, *chunks, pause=0.0):
    waiting = list(chunks)

    async def receive():
        await asyncio.sleep(pause)
        return {
            "type": "http.request",
            "body": waiting.pop(0),
            "more_body": bool(waiting),
        }

    return Request(SCOPE, receive, limits=limits)


async def test_a_body_is_read_completely_and_its_memory_released():
    limits = BodyLimits(most=6, memory=9, idle_seconds=5)
    request = request_of(limits, b"ab", b"", b"cdef")
    assert await request.body() == b"abcdef"
    assert limits.held == 6
    request.release()
    assert limits.held == 0


async def test_one_byte_over_the_limit_is_refused():
    """However the body is sent."""
    with pytest.raises(BodyTooLarge):
        await request_of(BodyLimits(6, 9, 5), b"abc", b"defg").body()


async def test_all_bodies_together_stay_within_the_memory():
    limits = BodyLimits(most=6, memory=9, idle_seconds=5)
    first, second = request_of(limits, b"abcdef"), request_of(limits, b"abcd")
    await first.body()
    with pytest.raises(Overloaded):
        await second.body()
    second.release()
    first.release()
    third = request_of(limits, b"abcd")
    assert await third.body() == b"abcd"


async def test_a_body_that_arrives_too_slowly_is_refused():
    limits = BodyLimits(most=600, memory=900, idle_seconds=0.05)
    with pytest.raises(BodyTooSlow, match=r"may take 0.05 seconds"):
        await request_of(limits, *[b"a"] * 100, pause=0.01).body()


@pytest.mark.parametrize(
    "body",
    [
        '{"text": "good", "text": "bad"}',
        '{"text" : "good","text":"bad"}',
        '{"text": "good", "te\\u0078t": "bad"}',
        '{"\\u0074\\u0065\\u0078\\u0074": "good", "text": "bad"}',
        '{"text": "good", "top_k": 1, "top_k": 2}',
    ],
)
async def test_a_duplicate_field_is_refused(served, body):
    answer = await served.client.post("/v1/classify", content=body)
    assert answer.status_code == 422
    assert "twice" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        '{"texts": ["text", "text", "\\"text\\"", "texts"]}',
        '{"text": "\\u0041 \\u0000 \\u202e"}',
        '{"text": "{\\"text\\": 1, \\"text\\": 2}"}',
    ],
)
async def test_a_field_name_inside_a_text_is_not_a_field(served, body):
    assert (await served.client.post("/v1/classify", content=body)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"text": NaN}', 422),
        ('{"text": "a", "top_k": NaN}', 422),
        ('{"text": "a", "top_k": Infinity}', 422),
        ('{"text": "\\ud800"}', 400),
        ('{"text": "a\\u0000b"}', 200),
        ('{"text": "\u202eabc\u200f"}', 200),
        ("[" * 100_000, 400),
        ('{"text":' * 100_000, 400),
        ('{"text": ' + "[" * 1000 + "]" * 1000 + "}", 400),
        ('{"text": "' + "a" * 10_000_000 + '"}', 413),
        (b'{"text": "\xff"}', 400),
        (b'{"text": "\xed\xa0\x80"}', 400),
        ("\ufeff{}", 400),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_unusual_json_and_unicode_get_the_documented_status(served, body, status):
    answer = await served.client.post("/v1/classify", content=body)
    assert answer.status_code == status


async def test_a_large_body_is_refused_before_its_json_is_parsed():
    """The queue has no room for the texts."""
    asked = []

    def no_room(*guess: int) -> None:
        asked.append(guess)
        raise Overloaded("full", retry_after_seconds=1)

    def limits() -> BodyLimits:
        return BodyLimits(10**6, 10**6, 5, no_room)

    texts = ["déjà vu", 'she said "no", and left', "a" * 30] * 300
    escaped = json.dumps({"texts": texts}).encode()
    plain = json.dumps({"texts": texts}, ensure_ascii=False).encode()
    for body in (escaped, plain):
        with pytest.raises(Overloaded):
            await request_of(limits(), body).body()
    # estimated from the beginning; an escape counts as one character, outside ASCII two bytes count
    # as one
    (characters, of_escaped), (halved, of_plain) = asked
    assert characters == pytest.approx(len(escaped) - 2 * 5 * 300, rel=0.02)
    assert halved == len(plain) // 2
    assert [of_escaped, of_plain] == pytest.approx([900, 900], rel=0.02)
    # a small body costs too little, and the model of the other body is not known yet
    for body in (b" " * 8_192, b'{"model": "topic"}' + b" " * 9_000):
        assert await request_of(limits(), body).body() == body
    elsewhere = request_of(limits(), b" " * 9_000)
    elsewhere.parameters = {"name": "topic"}
    assert len(await elsewhere.body()) == 9_000


@pytest.mark.parametrize(
    "around",
    [
        b'{"model": "topic", "texts": [%s]}',
        b'{"texts": [%s], "model": "topic"}',
        b'{"texts":\n[%s], "model" : "topic", "ids": ["a"]}',
        b'{"ids": ["[", "]"], "model": "topic", "texts": [%s]}',
        b'{"text": %s, "model": "topic"}',
    ],
)
@pytest.mark.parametrize("text", [b'"aa"', rb'"]"', rb'"\"texts\": ["'])
async def test_admission_for_another_model_ignores_the_default_one(around, text):
    def no_room(*guess: int) -> None:
        raise Overloaded("full", retry_after_seconds=1)

    body = around % b", ".join([text] * 3_000)
    assert await request_of(BodyLimits(10**6, 10**6, 5, no_room), body).body() == body
    mine = body.replace(b"model", b"label")
    with pytest.raises(Overloaded):
        await request_of(BodyLimits(10**6, 10**6, 5, no_room), mine).body()
