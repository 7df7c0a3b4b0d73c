import asyncio
import io
import json
import re
import time

import pytest
from valence.service.observability.log import Log
from valence.service.observability.request_record import RequestRecord

REQUEST = {
    "request_id": "a-1",
    "method": "POST",
    "route": "/v1/models/{name}",
    "seconds": 0.0123456,
    "model": "sentiment",
    "texts": 2,
    "tokens": 17,
}


@pytest.mark.parametrize(("status", "level"), [(200, "info"), (429, "info"), (500, "error")])
def test_a_request_is_logged_as_one_json_line(status, level):
    stream = io.StringIO()
    Log(stream).request(RequestRecord(status=status, **REQUEST))
    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert line.pop("duration_ms") == 12.346
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    del (expected := {**REQUEST, "status": status, "level": level, "event": "request"})["seconds"]
    assert line == expected


def test_the_logged_time_advances():
    stream = io.StringIO()
    log = Log(stream)
    log.event("info", "first")
    time.sleep(0.01)
    log.event("info", "second")
    first, second = (json.loads(line)["time"] for line in stream.getvalue().splitlines())
    assert first < second


def test_request_lines_can_be_turned_off():
    stream = io.StringIO()
    log = Log(stream, access=False)
    log.request(RequestRecord(status=200, **REQUEST))
    log.event("warning", "engine", reason='a "quoted" reason\n')
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["reason"] == 'a "quoted" reason\n'


def test_a_failure_is_logged_by_type_and_place_only():
    """Its message is not logged."""
    stream = io.StringIO()
    try:
        raise ValueError("private")
    except ValueError as error:
        Log(stream).failure("unexpected", error, request_id="a")
    line = json.loads(stream.getvalue())
    assert line["type"] == "ValueError"
    assert re.fullmatch(r"test_log\.py:\d+", line["location"])
    assert "private" not in stream.getvalue()


async def test_request_lines_are_buffered_and_then_flushed():
    stream = io.StringIO()
    log = Log(stream)
    for _ in range(3):
        log.request(RequestRecord(status=200, **REQUEST))
    assert stream.getvalue() == ""
    await asyncio.sleep(0.2)  # twice the longest delay of a line
    assert stream.getvalue().count("\n") == 3
    log.request(RequestRecord(status=200, **REQUEST))
    log.flush()
    assert stream.getvalue().count("\n") == 4


async def test_lines_keep_their_order_and_the_buffer_is_bounded():
    stream = io.StringIO()
    log = Log(stream)
    log.request(RequestRecord(status=200, **REQUEST))
    log.event("info", "second")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], second["event"]) == ("request", "second")
    for _ in range(1000):
        log.request(RequestRecord(status=200, **REQUEST))
    assert stream.getvalue().count("\n") > 500
