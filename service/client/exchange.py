"""One request until it has its answer: what is repeated, when, and for how long.

The steps are a generator, which does no input or output. :mod:`valence.service.client.client` does
what they ask for, with threads or with an event loop.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from valence.service.errors import ServiceRefused, ServiceUnreachable

# the service is full, starting or draining, or a proxy has none to send the request to
_AGAIN = frozenset({429, 502, 503})
# the first pause without a Retry-After, and the longest one
_FIRST_SECONDS, _LONGEST_SECONDS = 0.1, 2.0
# clients that were refused together come back at different times
_SPREAD = 0.2


class Request(NamedTuple):
    """A request, and how long its answer is waited for."""

    method: str
    path: str
    content: bytes = b""
    seconds: float = 0.0


class Pause(NamedTuple):
    """Nothing is done for so long."""

    seconds: float


class Reply(NamedTuple):
    """What the service answered. The names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Failure(NamedTuple):
    """Why there is no reply."""

    reason: str


Value = TypeVar("Value")
Steps = Generator[Request | Pause, Reply | Failure | None, Value]
"""Asks for requests and pauses, and is given the reply to each request."""


def exchange(request: Request, deadline: float) -> Steps[bytes]:
    """The content of the reply with status 200, by ``deadline`` of ``time.monotonic``.

    A refusal that is worth another try is repeated after the time that ``Retry-After`` names, and a
    connection that failed after a growing time: classifying twice changes nothing. If the time is
    up, or would be up after the pause, the last error is raised: :class:`ServiceRefused`, or
    :class:`ServiceUnreachable`.
    """
    tries = 0
    while True:
        left = max(deadline - time.monotonic(), 0.001)
        reply = yield request._replace(seconds=left)
        if isinstance(reply, Reply) and reply.status == 200:
            return reply.content
        error: ServiceRefused | ServiceUnreachable
        pause = _spread(min(_FIRST_SECONDS * 2**tries, _LONGEST_SECONDS))
        if isinstance(reply, Reply):
            error = describe_refusal(reply)
            if error.status not in _AGAIN:
                raise error
            if error.retry_after_seconds is not None:
                pause = error.retry_after_seconds + _spread(_FIRST_SECONDS)
        else:
            reason = reply.reason if reply else "no reply"
            error = ServiceUnreachable(f"the service gave no answer ({reason})")
        if time.monotonic() + pause >= deadline:
            raise error
        yield Pause(pause)
        tries += 1


def describe_refusal(reply: Reply) -> ServiceRefused:
    """The error that a reply with another status than 200 is."""
    problem: Any = None
    if reply.headers.get("content-type", "").partition(";")[0].endswith("json"):
        try:
            problem = json.loads(reply.content)
        except (ValueError, RecursionError):
            problem = None
    if isinstance(problem, dict) and isinstance(problem.get("detail"), str):
        told = f"{problem.get('title')}: {problem['detail']}"
    else:
        problem = {}
        told = "without a problem document, so perhaps from a proxy"
        if 300 <= reply.status < 400:
            told = "a redirection, which is not followed; give the address that it leads to"
    return ServiceRefused(
        f"{reply.status} {told}",
        status=reply.status,
        problem=problem,
        retry_after_seconds=_parse_retry_after(reply.headers.get("retry-after", "")),
    )


def _parse_retry_after(value: str) -> float | None:
    """The seconds of a ``Retry-After`` header, which has seconds or a date; None without one."""
    if value.isdecimal():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)


def _spread(seconds: float) -> float:
    # nobody gains by guessing the pauses of a client
    return seconds * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311
