"""Answers to connections before they are closed, and open connections when the server ends."""

import asyncio
import collections
import math
import socket
from dataclasses import replace

import pytest
from valence.service.server.connection_limits import ConnectionLimiter

from tests.support.protocol_servers import limits, port_of, started

HEAD = b"GET / HTTP/1.1\r\nhost: valence\r\n"
REQUEST = HEAD + b"\r\n"
LIMITS = limits(header_seconds=0.1, body_idle_seconds=0.1)
refused = collections.Counter()


async def answer(scope, receive, send):
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def server():
    refused.clear()
    async with started(answer, LIMITS, lambda reason: refused.update((reason,))) as server:
        yield server


async def connect(server):
    return await asyncio.open_connection("127.0.0.1", port_of(server))


async def test_a_request_in_flight_at_shutdown_is_answered(server):
    used, fresh, silent = [await connect(server) for _ in range(3)]
    used[1].write(REQUEST)
    assert (await used[0].read(1000)).endswith(b"ok")
    server.should_exit = True
    ending = asyncio.create_task(server.shutdown())
    await asyncio.sleep(0.01)
    for reader, writer in (used, fresh):
        writer.write(REQUEST)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer
    assert await silent[0].read() == b""
    await asyncio.wait_for(ending, 5)
    for _, writer in (used, fresh, silent):
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (b"xyzzy\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\nhost", 408, "request-timeout"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nxy", 408, "request-timeout"),
        (HEAD + b"a: " + b"a" * 1000, 431, "headers-too-large"),
        (HEAD + b"a:\r\n" * 21 + b"\r\n", 431, "headers-too-large"),
    ],
)
async def test_refusals_below_the_application_are_counted(server, sent, status, reason):
    reader, writer = await connect(server)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert f'"urn:valence:problem:{reason}"'.encode() in answer
    assert refused == {reason: 1}
    writer.close()
    await writer.wait_closed()


async def test_a_client_refused_while_sending_gets_the_reason(server):
    held = [await connect(server) for _ in range(LIMITS.connections)]
    reader, writer = await connect(server)
    body = b"x" * 300_000
    writer.write(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    await asyncio.sleep(0.05)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 503 ")
    for _, opened in (*held, (reader, writer)):
        opened.close()
        await opened.wait_closed()


async def test_a_refused_client_that_stays_is_disconnected():
    async with started(answer, replace(LIMITS, linger_seconds=0.1)) as server:
        reader, writer = await connect(server)
        writer.write(b"xyzzy\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        for _ in range(40):
            if not server.server_state.connections:
                break
            await asyncio.sleep(0.05)
        assert not server.server_state.connections
        writer.close()


class FakeConnection:
    """A connection of a limiter that has been without a request since a time, or has one."""

    def __init__(self, *, idle_since=math.inf, customer=False):
        self.idle_since = idle_since
        self.is_customer = customer


async def test_a_limiter_refuses_up_to_its_limit_outside_the_loop():
    counted = []
    limiter = ConnectionLimiter(LIMITS, counted.append)
    limiter.register({FakeConnection() for _ in range(LIMITS.connections - 1)})
    assert limiter.capacity() == 1
    limiter.register({FakeConnection() for _ in range(LIMITS.connections + 1)})
    assert limiter.capacity() == 0
    assert limiter.refusal_capacity() == LIMITS.connections
    limiter.register(set())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname(), timeout=5)
        with client:
            limiter.refuse(listening.accept()[0])
            assert client.recv(1000).startswith(b"HTTP/1.1 503 ")
            assert client.recv(1000) == b""
            assert limiter.refusal_capacity() == LIMITS.connections - 1
        # the limiter checks and closes it by itself
        async with asyncio.timeout(5):
            while limiter.refusal_capacity() < LIMITS.connections:  # noqa: ASYNC110 - set by nobody
                await asyncio.sleep(0.01)
    assert counted == ["too-many-connections"]


async def test_an_expected_connection_takes_room_once():
    limiter = ConnectionLimiter(LIMITS, refused.update)
    connections = set()
    for number in range(LIMITS.connections):
        assert limiter.capacity() == LIMITS.connections - number
        limiter.reserve()
        assert limiter.capacity() == LIMITS.connections - number - 1
        connections.add(FakeConnection())
        limiter.register(connections)
    assert limiter.capacity() == 0
    connections.pop()
    limiter.reserve()
    limiter.release()
    assert limiter.capacity() == 1


async def test_refusals_take_a_limited_share_of_the_time():
    limiter = ConnectionLimiter(limits(connections=100), refused.update)
    at_once = limiter.refusal_capacity()
    assert 0 < at_once < 100
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        clients = [socket.create_connection(listening.getsockname()) for _ in range(at_once)]
        for _ in clients:
            limiter.refuse(listening.accept()[0])
        assert limiter.refusal_capacity() < at_once
        for client in clients:
            client.close()
    async with asyncio.timeout(5):
        while limiter.refusal_capacity() < at_once:  # noqa: ASYNC110 - set by nobody
            await asyncio.sleep(0.01)
    limiter._lingering.close()


async def test_the_limit_of_headers_is_allowed(server):
    reader, writer = await connect(server)
    writer.write(HEAD + b"a:\r\n" * (LIMITS.headers - 1) + b"\r\n")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
    assert not refused
    writer.close()
    await writer.wait_closed()


async def test_a_connection_over_the_limit_is_refused_and_counted(server):
    held = [await connect(server) for _ in range(LIMITS.connections)]
    reader, writer = await connect(server)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    assert refused == {"too-many-connections": 1}
    for _, opened in (*held, (reader, writer)):
        opened.close()
        await opened.wait_closed()


POST = b"POST / HTTP/1.1\r\nhost: valence\r\ncontent-length: 24\r\n%s\r\n"
BODY = b"x" * 24


async def test_pipelined_requests_are_answered_in_order(server):
    reader, writer = await connect(server)
    writer.write(REQUEST + POST % b"" + BODY + REQUEST)
    for _ in range(3):
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_expects_100_continue_gets_it(server):
    reader, writer = await connect(server)
    writer.write(POST % b"expect: 100-continue\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(BODY)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


async def test_a_request_whose_body_arrives_at_shutdown_is_answered(server):
    reader, writer = await connect(server)
    writer.write(POST % b"" + BODY[:-5])
    await asyncio.sleep(0.02)
    server.should_exit = True
    ending = asyncio.create_task(server.shutdown())
    # longer than an idle connection is kept
    for byte in BODY[-5:]:
        await asyncio.sleep(0.07)
        writer.write(bytes([byte]))
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"ok")
    await asyncio.wait_for(ending, 5)
    writer.close()
    await writer.wait_closed()


async def test_a_kept_connection_ends_in_time_and_silently():
    refused.clear()
    kept = limits(keep_alive_seconds=0.2)
    async with started(answer, kept, lambda reason: refused.update((reason,))) as server:
        reader, writer = await connect(server)
        for _ in range(2):
            writer.write(REQUEST)
            assert (await reader.read(1000)).endswith(b"ok")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert not refused
        writer.close()
        await writer.wait_closed()


async def test_a_request_longer_than_a_pause_is_answered():
    async def answer_late(scope, receive, send):
        await asyncio.sleep(1.2)
        await answer(scope, receive, send)

    async with started(answer_late, limits(keep_alive_seconds=0.1)) as server:
        reader, writer = await connect(server)
        writer.write(REQUEST)
        assert (await reader.read(1000)).endswith(b"ok")
        writer.close()
        await writer.wait_closed()
