"""Answers in one message, over a socket and on a server without the extension."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from valence.service.api.http.response import Response
from valence.service.server import single_write

from tests.support.protocol_servers import limits, port_of, started

HEADERS = {
    "/close": ((b"connection", b"close"),),
    "/two-lines": ((b"x", b"a\r\nset-cookie: b"),),
}


async def answer(scope, receive, send):
    body = b"x" * 100_000 if scope["path"] == "/large" else b'"ok"'
    await Response(body, headers=HEADERS.get(scope["path"], ()))(scope, receive, send)


@pytest.fixture
async def ask():
    """Return a function that sends bytes over a new connection; it returns the answer and whether
    the connection ended.
    """
    async with started(answer, limits()) as server:

        async def sent(content):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(content)
            received = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while piece := await reader.read(10_000):
                        received += piece
            ended = reader.at_eof()
            writer.close()
            await writer.wait_closed()
            return received, ended

        yield sent


def request(path="/", method="GET", version="1.1"):
    return f"{method} {path} HTTP/{version}\r\nhost: valence\r\n\r\n".encode()


async def test_an_answer_has_headers_and_body_and_keeps_alive(ask):
    received, ended = await ask(request())
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-length: 4" in head
    assert b"\r\ndate: " in head
    assert b"connection" not in head
    assert body == b'"ok"'
    assert not ended


async def test_pipelined_requests_are_answered_in_order(ask):
    received, ended = await ask(request() * 3)
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b'"ok"') == 3
    assert not ended


async def test_head_has_the_length_but_no_body(ask):
    received, _ = await ask(request(method="HEAD"))
    assert b"content-length: 4\r\n" in received
    assert received.endswith(b"\r\n\r\n")


async def test_a_large_answer_arrives_whole(ask):
    received, ended = await ask(request("/large") + request())
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.endswith(b"\r\ncontent-length: 100000")
    assert body.startswith(b"x" * 100_000 + b"HTTP/1.1 200 OK\r\n")
    assert not ended


@pytest.mark.parametrize("content", [request("/close"), request(version="1.0")])
async def test_a_connection_to_close_says_so_once_and_closes(ask, content):
    received, ended = await ask(content)
    assert received.count(b"connection: close\r\n") == 1
    assert received.endswith(b'"ok"')
    assert ended


async def test_a_header_with_a_line_break_becomes_an_error(ask):
    received, _ = await ask(request("/two-lines"))
    assert received.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in received


@pytest.mark.parametrize(("extensions", "messages"), [({}, 2), ({single_write.EXTENSION: {}}, 1)])
async def test_only_a_server_with_the_extension_gets_one_message(extensions, messages):
    sent = []

    async def send(message):
        sent.append(message)

    await Response(b"1")({"type": "http", "extensions": extensions}, None, send)
    assert len(sent) == messages
    assert sent[-1]["body"] == b"1"


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("size", [60_000, 100_000])
async def test_a_request_lasts_until_its_answer_is_read(size, leaves):
    """What it holds counts in the memory until then."""
    answered = asyncio.Event()

    async def answer_and_tell(scope, receive, send):
        await Response(b"x" * size)(scope, receive, send)
        answered.set()

    loop = asyncio.get_running_loop()
    async with started(answer_and_tell, limits()) as server:
        server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port_of(server)))
            await loop.sock_sendall(client, request())
            await asyncio.sleep(0.1)
            assert not answered.is_set()
            received = 0
            while received < size and not leaves:
                received += len(await loop.sock_recv(client, 65_536))
        await asyncio.wait_for(answered.wait(), 5)
