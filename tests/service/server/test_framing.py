"""Requests that others may frame in another way, and offers of another protocol, over sockets."""

from __future__ import annotations

import asyncio
import re

import pytest
from valence.service.api.http.response import Response
from valence.service.server import framing

from tests.support.protocol_servers import limits, port_of, started

STATUS_LINE = re.compile(rb"HTTP/1.1 [1-5][0-9][0-9] ")
LAST = b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


class Echo:
    """Answers each request with its path and its body, and knows what was asked and refused."""

    def __init__(self):
        self.asked = []
        self.refused = []

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.append((scope["path"], body))
        await Response(b"[%s %s]" % (scope["path"].encode(), body))(scope, receive, send)


@pytest.fixture
async def echo():
    echo = Echo()
    async with started(echo, limits(connections=500), echo.refused.append, early=True) as server:
        echo.port = port_of(server)
        yield echo


async def ask(port, *pieces):
    """Send each piece as a segment of its own; return all that is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.002 if len(pieces) > 1 else 0)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


LENGTH = (b"content-length: 7\r\n", b"x y z\r\n")
CHUNKED = (b"transfer-encoding: chunked\r\n", b"3\r\nx y\r\n4;a=b\r\n z\r\n\r\n0\r\nt: 1\r\n\r\n")
SMUGGLED = b"GET /livez HTTP/1.1\r\nhost: b\r\n\r\n"
OFFERS = {
    "h2c": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA\r\n",
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nsec-websocket-version: 13\r\n",
    "tls": b"upgrade: TLS/1.0\r\nconnection: upgrade\r\n",
}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize(("head", "body"), [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_an_upgrade_offer_split_anywhere_is_ignored(echo, offer, head, body):
    request = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS[offer] + head + b"\r\n" + body
    cuts = range(1, len(request))
    answers = await asyncio.gather(
        *(ask(echo.port, request[:cut], request[cut:] + LAST) for cut in cuts)
    )
    for answer in answers:
        assert re.findall(rb"\[.*?\]", answer, re.DOTALL) == [b"[/a x y z\r\n]", b"[/last ]"]
        assert answer.count(b"HTTP/1.1 200 OK") == len(STATUS_LINE.findall(answer)) == 2


async def test_an_upgrade_offer_byte_by_byte_is_ignored(echo):
    request = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS["h2c"] + LENGTH[0] + b"\r\n" + LENGTH[1]
    await ask(echo.port, *(bytes([byte]) for byte in request + LAST))
    assert echo.asked == [("/a", LENGTH[1]), ("/last", b"")]


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_body_after_an_upgrade_offer_is_no_request(echo, pieces):
    head = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS["h2c"]
    head += b"content-length: %d\r\n\r\n" % len(SMUGGLED)
    sent = (head + SMUGGLED + LAST,) if pieces == 1 else (head, SMUGGLED, LAST)
    answer = await ask(echo.port, *sent)
    assert echo.asked == [("/a", SMUGGLED), ("/last", b"")]
    assert len(STATUS_LINE.findall(answer)) == 2


async def test_pipelined_upgrade_offers_are_all_answered(echo):
    request = b"POST /a HTTP/1.1\r\nhost: a\r\n" + OFFERS["h2c"] + LENGTH[0] + b"\r\n" + LENGTH[1]
    get = b"GET /b HTTP/1.1\r\nhost: a\r\n" + OFFERS["websocket"] + b"\r\n"
    await ask(echo.port, request + get + request + LAST)
    assert [path for path, _ in echo.asked] == ["/a", "/b", "/a", "/last"]


def head_of(*lines, method=b"POST", version=b"1.1"):
    return b"\r\n".join((b"%s /a HTTP/%s" % (method, version), *lines, b"", b""))


HOST = b"Host: valence"
FAULTS = {
    "no host": (head_of(), 400, "malformed-request"),
    "two hosts": (head_of(HOST, HOST), 400, "malformed-request"),
    "two hosts of 1.0": (head_of(HOST, HOST, version=b"1.0"), 400, "malformed-request"),
    "host with a path": (head_of(b"host: a/b"), 400, "malformed-request"),
    "host with a user": (head_of(b"host: me@valence"), 400, "malformed-request"),
    "0.9": (b"GET /a\r\n\r\n", 505, "version-not-supported"),
    "0.9 named": (head_of(HOST, version=b"0.9"), 505, "version-not-supported"),
    "2.0": (head_of(HOST, version=b"2.0"), 505, "version-not-supported"),
    "3.0": (head_of(HOST, version=b"3.0"), 400, "malformed-request"),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed-request"),
    "connect": (head_of(HOST, method=b"CONNECT"), 501, "not-implemented"),
    "gzip": (head_of(HOST, b"transfer-encoding: gzip, chunked"), 501, "not-implemented"),
    "gzip in two lines": (
        head_of(HOST, b"transfer-encoding: gzip", b"transfer-encoding: chunked"),
        501, "not-implemented",
    ),
    "gzip last": (head_of(HOST, b"transfer-encoding: chunked, gzip"), 400, "malformed-request"),
    "gzip alone": (head_of(HOST, b"transfer-encoding: gzip"), 400, "malformed-request"),
    "chunked twice": (
        head_of(HOST, b"transfer-encoding: chunked, chunked"), 400, "malformed-request",
    ),
    "chunked of 1.0": (
        head_of(HOST, b"transfer-encoding: chunked", version=b"1.0"), 400, "malformed-request",
    ),
    "length and chunked": (
        head_of(HOST, b"transfer-encoding: chunked", b"content-length: 3"),
        400, "malformed-request",
    ),
    "expectation": (
        head_of(HOST, b"expect: 200-ok", b"content-length: 3"), 417, "expectation-unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_request_that_breaks_a_rule_is_refused(echo, fault, caplog):
    sent, status, slug = FAULTS[fault]
    answer = await ask(echo.port, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer
    assert b"\r\nconnection: close\r\n" in answer
    assert len(STATUS_LINE.findall(answer)) == 1
    assert echo.refused == [slug]
    assert echo.asked == []
    # the log of the service is JSON, which lines of the server are not
    assert caplog.records == []


@pytest.mark.parametrize(
    "host", [b"", b"valence", b"valence:80", b"127.0.0.1:3000", b"[::1]:3000", b"a_b.example"]
)
async def test_hosts_of_every_form_are_taken(echo, host):
    await ask(echo.port, b"GET /a HTTP/1.1\r\nhost: %s\r\n\r\n" % host + LAST)
    assert [path for path, _ in echo.asked] == ["/a", "/last"]


async def test_each_request_of_a_connection_is_held_to_the_rules(echo):
    good = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n"
    for bad in (b"GET /b HTTP/1.1\r\n\r\n", b"GET /b HTTP/2.0\r\nhost: a\r\n\r\n"):
        echo.asked.clear()
        answer = await ask(echo.port, good, bad)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert b"HTTP/1.1 400 " in answer or b"HTTP/1.1 505 " in answer
        assert echo.asked == [("/a", b"")]


async def test_http_1_0_needs_no_host_and_gets_no_status_100(echo):
    request = b"POST /a HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    answer = await ask(echo.port, request, b"xy")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"[/a xy]")


def test_chunked_is_the_only_coding_that_is_taken():
    for value in (b"chunked", b"Chunked", b" chunked ", b",chunked"):
        watched = [(b"host", b"a"), (b"transfer-encoding", value)]
        assert framing.find_fault("1.1", b"POST", watched) is None
