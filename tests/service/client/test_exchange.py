from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from valence.service.client import exchange as module
from valence.service.client.exchange import (
    Failure,
    Pause,
    Reply,
    Request,
    describe_refusal,
    exchange,
)
from valence.service.errors import ServiceError, ServiceRefused, ServiceUnreachable

PROBLEM = {
    "type": "urn:valence:problem:overloaded",
    "title": "The queue is full",
    "status": 429,
    "detail": "try again later",
    "request_id": "r-1",
}
ASKED = Request("POST", "/v1/classify", b"{}")


def refusal(status: int = 429, **headers: str) -> Reply:
    headers = {"content-type": "application/problem+json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return Reply(status, headers, json.dumps(PROBLEM | {"status": status}).encode())


@pytest.fixture
def follow(monkeypatch):
    """Return a function that gives ``replies`` to the requests of an exchange.

    It returns the content or the error, the pauses, and the time that each request was given.
    """
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.random, "uniform", lambda low, high: (low + high) / 2)

    def follow(replies, *, seconds=30.0, lasting=0.0):
        pauses, times = [], []
        rest = iter(replies)
        steps = exchange(ASKED, clock[0] + seconds)
        reply = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Pause):
                    pauses.append(step.seconds)
                    clock[0] += step.seconds
                    reply = None
                else:
                    times.append(step.seconds)
                    clock[0] += lasting
                    reply = next(rest)
        except StopIteration as end:
            return end.value, pauses, times
        except ServiceError as error:
            return error, pauses, times

    return follow


def test_an_answer_is_taken_at_once(follow):
    assert follow([Reply(200, {}, b"{}")]) == (b"{}", [], [30.0])


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_refusal_for_now_is_repeated_after_retry_after(follow, status):
    replies = [refusal(status, retry_after="3"), Reply(200, {}, b"{}")]
    content, pauses, times = follow(replies)
    assert content == b"{}"
    assert pauses == [pytest.approx(3.1)]
    assert times == [30.0, pytest.approx(26.9)]


def test_a_date_is_a_time_to_wait_too(follow):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    _, (pause,), _ = follow([refusal(retry_after=at), Reply(200, {}, b"")])
    assert 3 < pause < 5.2


@pytest.mark.parametrize("value", ["", "soon", "-1", "1e9", "9" * 99, "²"])
def test_a_strange_retry_after_ends_no_client(follow, value):
    error, pauses, _ = follow([refusal(retry_after=value)] * 3 + [Reply(200, {}, b"")])
    assert error == b"" or value == "9" * 99
    assert all(pause <= 2.5 for pause in pauses)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500, 504, 302])
def test_other_refusals_are_raised_at_once(follow, status):
    error, pauses, _ = follow([refusal(status)])
    assert isinstance(error, ServiceRefused)
    assert (error.status, error.problem["request_id"], pauses) == (status, "r-1", [])
    assert str(error) == f"{status} The queue is full: try again later"


def test_a_pause_beyond_the_time_is_not_begun(follow):
    """The caller learns at once what it would have to wait."""
    error, pauses, _ = follow([refusal(retry_after="30")])
    assert (error.retry_after_seconds, pauses) == (30.0, [])


def test_failed_connections_are_repeated_more_and_more_rarely(follow):
    replies = [Failure("ConnectError: refused")] * 99
    error, pauses, _ = follow(replies, seconds=10.0)
    assert isinstance(error, ServiceUnreachable)
    assert "ConnectError: refused" in str(error)
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
    assert sum(pauses) <= 10.0


def test_the_whole_time_is_bounded(follow):
    error, pauses, times = follow([refusal(retry_after="1")] * 99, seconds=10.0, lasting=1.0)
    assert isinstance(error, ServiceRefused)
    assert sum(pauses) + len(times) * 1.0 <= 10.0
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/html", b"<html>a secret of a user</html>"),
        ("application/json", b"not JSON: a secret of a user"),
        ("application/json", b'["a secret of a user"]'),
        ("application/json", b'{"detail": ["a secret of a user"]}'),
        ("application/json", b"[" * 100_000),
        ("", b"\xff"),
    ],
)
def test_an_error_that_no_service_wrote_is_told_without_it(content_type, content):
    error = describe_refusal(Reply(502, {"content-type": content_type}, content))
    assert (error.status, error.problem) == (502, {})
    assert "secret" not in str(error)
    assert "proxy" in str(error)
