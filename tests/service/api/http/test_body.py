"""Request bodies that arrive slowly, exceed the limit, or repeat a field."""

import asyncio
import functools
import json

import pytest
from valence.service.api.http.body import BodyLimits, BodyReader
from valence.service.errors import BodyTooLarge, BodyTooSlow, Overloaded
from valence.service.inference.admission import Admission, QueueLimits, estimate_body
from valence.service.inference.fair_queue import FairQueue


def reader_of(limits, *chunks, pause=0.0, require_room=None):
    waiting = list(chunks)

    async def receive():
        await asyncio.sleep(pause)
        return {
            "type": "http.request",
            "body": waiting.pop(0),
            "more_body": bool(waiting),
        }

    return BodyReader(receive, {}, limits, require_room)


async def test_a_body_is_read_completely_and_its_memory_released():
    limits = BodyLimits(max_body_bytes=6, max_total_bytes=9, idle_seconds=5)
    reader = reader_of(limits, b"ab", b"", b"cdef")
    assert await reader.read() == b"abcdef"
    assert limits.held_bytes == 6
    reader.release()
    assert limits.held_bytes == 0


async def test_one_byte_over_the_limit_is_refused():
    """However the body is sent."""
    with pytest.raises(BodyTooLarge):
        await reader_of(BodyLimits(6, 9, 5), b"abc", b"defg").read()


async def test_all_bodies_together_stay_within_the_memory():
    limits = BodyLimits(max_body_bytes=6, max_total_bytes=9, idle_seconds=5)
    first, second = reader_of(limits, b"abcdef"), reader_of(limits, b"abcd")
    await first.read()
    with pytest.raises(Overloaded):
        await second.read()
    second.release()
    first.release()
    third = reader_of(limits, b"abcd")
    assert await third.read() == b"abcd"


async def test_a_body_that_arrives_too_slowly_is_refused():
    limits = BodyLimits(max_body_bytes=600, max_total_bytes=900, idle_seconds=0.05)
    with pytest.raises(BodyTooSlow, match=r"may take 0.05 seconds"):
        await reader_of(limits, *[b"a"] * 100, pause=0.01).read()


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
        ("\ufeff{}", 422),
        ('\ufeff{"text": "a"}', 200),
        ('\ufeff\ufeff{"text": "a"}', 400),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_unusual_json_and_unicode_get_the_documented_status(served, body, status):
    answer = await served.client.post("/v1/classify", content=body)
    assert answer.status_code == status


def full_queue() -> Admission:
    """The admission of a model with no room for anything more."""
    queue = FairQueue()
    queue.items = queue.tokens = 1
    return Admission(queue, QueueLimits(1, 1), max_tokens=50)


def full_reader(body):
    require_room = functools.partial(full_queue().require_room_for_body, within_seconds=1)
    return reader_of(BodyLimits(10**6, 10**6, 5), body, require_room=require_room)


async def test_a_large_body_is_refused_before_its_json_is_parsed():
    texts = ["déjà vu", 'she said "no", and left', "a" * 30] * 300
    escaped = json.dumps({"texts": texts}).encode()
    plain = json.dumps({"texts": texts}, ensure_ascii=False).encode()
    for body in (escaped, plain):
        with pytest.raises(Overloaded):
            await full_reader(body).read()
    # Estimated from the first bytes: an escape is one character, two bytes outside ASCII are one.
    costs = [estimate_body(body, max_tokens=50) for body in (escaped, plain)]
    characters = [len(escaped) - 2 * 5 * 300, len(plain) / 2]
    assert [cost.tokens for cost in costs] == pytest.approx([n / 5 for n in characters], rel=0.02)
    assert [cost.items for cost in costs] == pytest.approx([900, 900], rel=0.02)
    # A small body costs too little, and the model of the others is still unknown.
    for body in (b" " * 8_192, b'{"model": "topic"}' + b" " * 9_000):
        assert await full_reader(body).read() == body


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
    body = around % b", ".join([text] * 3_000)
    assert await full_reader(body).read() == body
    mine = body.replace(b"model", b"label")
    with pytest.raises(Overloaded):
        await full_reader(mine).read()


async def test_answers_count_like_bodies_until_the_release():
    limits = BodyLimits(max_body_bytes=6, max_total_bytes=9, idle_seconds=5)
    first, second = reader_of(limits, b"abcd"), reader_of(limits, b"ab")
    await first.read()
    first.hold(4)
    with pytest.raises(Overloaded, match="9 bytes of memory for bodies, texts and answers"):
        await second.read()
    second.release()
    first.release(3)
    assert limits.held_bytes == 5
    first.release()
    assert limits.held_bytes == 0


async def test_a_request_that_is_alone_may_hold_what_it_needs():
    limits = BodyLimits(max_body_bytes=6, max_total_bytes=9, idle_seconds=5)
    reader = reader_of(limits, b"abcdef")
    await reader.read()
    reader.hold(100)
    with pytest.raises(Overloaded):
        await reader_of(limits, b"a").read()
