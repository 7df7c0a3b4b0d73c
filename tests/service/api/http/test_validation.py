"""Bodies with more faults than anybody would read: they are refused before an item is looked at."""

import json
import time

import pytest
from valence.service.api.http.body import BodyLimits
from valence.service.api.http.validation import MAX_ITEMS, parse
from valence.service.api.v1.schemas import ClassifyRequest
from valence.service.errors import InvalidRequest, MalformedBody
from valence.service.settings import Settings

MAX_BYTES = Settings().max_body_bytes
TEXT = 'well, "he" said: yes, \\ no, '


def fill(begin: str, item: str, end: str) -> bytes:
    return (begin + ",".join([item] * ((MAX_BYTES - 100) // (len(item) + 1))) + end).encode()


@pytest.mark.parametrize(
    "body",
    [
        fill('{"texts":[', "1", "]}"),
        fill('{"texts":[', "[1]", "]}"),
        fill('{"texts":[', "null", "]}"),
        fill('{"texts":[', '""', "]}"),
        fill('{"texts":["a"],"ids":[', "null", "]}"),
        fill("{", '"a":1', "}"),
        fill('{"a":{', '"text":1', "}}"),
        fill('{"texts":[', r'"\":,"', "]}"),
        fill('{"texts":[', "1", ""),
    ],
    ids=lambda body: body[:24].decode(),
)
def test_a_body_of_faults_costs_little(body):
    """It took up to 15 seconds and three gigabytes."""
    started = time.thread_time()
    with pytest.raises(InvalidRequest, match="body: more than 2000 strings and commas"):
        parse(ClassifyRequest, body)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize("text", [TEXT * 3_000, ',"' * 40_000, '\\",' * 30_000, "," * 90_000])
def test_the_commas_of_a_text_are_no_items(text):
    assert parse(ClassifyRequest, json.dumps({"text": text}).encode()).text == text


def test_every_text_may_have_an_id_and_commas():
    limits = BodyLimits.of(Settings())
    texts = [TEXT] * Settings().max_texts
    ids = [str(index) for index in range(len(texts))]
    body = json.dumps({"ids": ids, "texts": texts}).encode()
    assert parse(ClassifyRequest, body, max_items=limits.max_items).texts == texts


def test_the_faults_of_a_body_with_few_items_are_named():
    body = json.dumps({"texts": ["a", 1] * (MAX_ITEMS // 8)}).encode()
    with pytest.raises(InvalidRequest, match=r"texts\.1: Input should be a valid string"):
        parse(ClassifyRequest, body)
    with pytest.raises(MalformedBody):
        parse(ClassifyRequest, body[:-2])


@pytest.mark.parametrize("path", ["/v1/classify", "/predict", "/v2/models/sentiment/infer"])
async def test_a_body_of_faults_is_refused_on_every_route(served, path):
    answer = await served.client.post(
        path, content=fill("{", '"a":1', "}"), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert "more than 6096 strings and commas" in answer.text
