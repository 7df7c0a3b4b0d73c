"""Connections that strangers hold: each ends in time, and leaves its place to others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import pytest
from valence.service.api.http.response import Response

from tests.support.protocol_servers import limits, port_of, started

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
LINGER = 0.3
HELD = {
    "length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
    "get": b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
    "get chunks": b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
    "expectation": (
        b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    ),
    "close": b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n",
    "1.0": b"POST / HTTP/1.0\r\ncontent-length: 1000000\r\n\r\n",
    "upgrade": (
        b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        b"content-length: 1000000\r\n\r\n"
    ),
}


async def answer_whole(scope, receive, send):
    await Response(b'"no"', status=401)(scope, receive, send)


async def answer_in_parts(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'"n', "more_body": True})
    await send({"type": "http.response.body", "body": b'o"'})


async def answer_after_body(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await Response(b'"no"')(scope, receive, send)


async def answer_large(scope, receive, send):
    await Response(b"x" * 1_000_000)(scope, receive, send)


SHORT = {"linger_seconds": LINGER, "idle_seconds": 0.1, "idle_customer_seconds": 0.4}


@contextlib.asynccontextmanager
async def serving(answer, **limited):
    """Yield a function that opens a connection; all are closed in the end."""
    writers = []
    async with started(answer, limits(**SHORT | limited), early=True) as server:

        async def connect(sent=b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writers.append(writer)
            writer.write(sent)
            return reader, writer

        connect.open = server.server_state.connections
        try:
            yield connect
        finally:
            for writer in writers:
                writer.close()


async def seconds_held(writer, open_connections):
    """Send a byte now and then until the server has no connection; return how long it had one."""
    started_at = time.monotonic()
    while open_connections and time.monotonic() - started_at < 5:
        with contextlib.suppress(OSError):
            writer.write(b"1\r\nx\r\n")
        await asyncio.sleep(0.02)
    return time.monotonic() - started_at


@pytest.mark.parametrize("answer", [answer_whole, answer_in_parts])
@pytest.mark.parametrize("held", HELD)
async def test_after_an_early_answer_no_body_holds_a_connection(answer, held):
    async with serving(answer) as connect:
        reader, writer = await connect(HELD[held])
        received = await asyncio.wait_for(reader.read(), 5)
        assert received.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 200 "))
        assert b'o"' in received
        assert b"100 Continue" not in received
        if answer is answer_whole:
            assert received.count(b"\r\nconnection: close\r\n") == 1
        # the sweep of the limits comes twice a second
        assert await seconds_held(writer, connect.open) < LINGER + 1.0


async def test_a_body_that_is_complete_keeps_the_connection():
    async with serving(answer_whole) as connect:
        reader, _ = await connect(
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nxy" + GET
        )
        for _ in range(2):
            received = await asyncio.wait_for(reader.readuntil(b'"no"'), 5)
            assert b"connection: close" not in received


async def test_an_early_answer_reaches_a_client_that_sends_first():
    async with serving(answer_whole) as connect:
        reader, writer = await connect(HELD["length"] + b"x" * 999_999)
        await writer.drain()
        await asyncio.sleep(0.05)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 401 ")


async def test_connections_that_end_together_end_in_several_turns():
    async with serving(answer_whole, linger_seconds=1, lingering=64) as connect:
        for _ in range(40):
            reader, _ = await connect(HELD["length"])
            await asyncio.wait_for(reader.read(), 5)
        counts = [len(connect.open)]
        assert counts == [40]
        async with asyncio.timeout(5):
            while counts[-1]:
                await asyncio.sleep(0)
                counts.append(len(connect.open))
        assert max(before - after for before, after in itertools.pairwise(counts)) <= 20


async def test_a_linger_is_bounded_in_bytes():
    async with serving(answer_whole, linger_seconds=60, linger_bytes=300_000) as connect:
        _, writer = await connect(HELD["chunks"])
        sent = 0
        with contextlib.suppress(OSError):
            async with asyncio.timeout(5):
                while connect.open or not sent:
                    writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0)
                    sent += 4104
        assert not connect.open


async def test_lingering_connections_leave_their_places():
    async with serving(answer_whole, connections=3, lingering=6) as connect:
        for _ in range(4):
            reader, _ = await connect(HELD["length"])
            assert (await reader.readuntil(b'"no"')).startswith(b"HTTP/1.1 401 ")
        assert len(connect.open) == 4
        reader, _ = await connect(GET)
        assert (await reader.readuntil(b'"no"')).startswith(b"HTTP/1.1 401 ")


async def test_too_many_lingering_connections_end_the_oldest():
    async with serving(answer_whole, connections=10, lingering=2) as connect:
        for _ in range(5):
            reader, _ = await connect(HELD["length"])
            await reader.readuntil(b'"no"')
        await asyncio.sleep(0.02)
        assert len(connect.open) == 2


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nhost", GET])
async def test_idle_strangers_make_room_for_a_request(sent):
    async with serving(answer_after_body, connections=3) as connect:
        for _ in range(3):
            await connect(sent)
        await asyncio.sleep(0.2)
        reader, _ = await connect(LAST)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200 ")


async def test_a_customer_makes_room_later_than_a_stranger():
    post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nxy"
    async with serving(answer_after_body, connections=2) as connect:
        customer = await connect(post)
        await customer[0].readuntil(b'"no"')
        await connect()
        await asyncio.sleep(0.2)
        for _ in range(3):
            # each of them takes the place of the stranger before it
            await connect()
            await asyncio.sleep(0.15)
            if not customer[0].at_eof():
                customer[1].write(post)
                assert await asyncio.wait_for(customer[0].readuntil(b'"no"'), 5)


async def test_a_connection_with_a_request_is_never_evicted():
    async with serving(answer_after_body, connections=1) as connect:
        reader, writer = await connect(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx")
        await asyncio.sleep(0.3)
        refused, _ = await connect(LAST)
        assert (await asyncio.wait_for(refused.read(), 5)).startswith(b"HTTP/1.1 503 ")
        writer.write(b"y")
        assert (await reader.readuntil(b'"no"')).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_bounded():
    async with serving(answer_whole) as connect:
        reader, _ = await connect(GET * 3_000)
        received = await asyncio.wait_for(reader.read(), 5)
        answers = received.split(b"HTTP/1.1 401 ")[1:]
        # one in work and 32 that wait, all of which are answered
        assert len(answers) == 33
        assert [b"\r\nconnection: close\r\n" in answer for answer in answers] == [False] * 32 + [
            True
        ]


async def test_pipelined_requests_with_unread_answers_end():
    async with serving(answer_large, body_idle_seconds=0.2) as connect:
        await connect(GET * 30)
        await asyncio.sleep(0.1)
        assert len(connect.open) == 1
        async with asyncio.timeout(5):
            while connect.open:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.02)


async def test_a_half_closed_connection_ends():
    async with serving(answer_after_body) as connect:
        _, writer = await connect(HELD["length"])
        await asyncio.sleep(0.05)
        writer.write_eof()
        async with asyncio.timeout(5):
            while connect.open:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "endless", [b"0\r\n" + b"a: b\r\n" * 9_000, b"0\r\na: " + b"b" * 9_000, b"1;" + b"e" * 9_000]
)
async def test_trailers_and_chunk_extensions_are_bounded(endless):
    async with serving(answer_after_body) as connect:
        reader, writer = await connect(HELD["chunks"] + b"1\r\nx\r\n")
        await asyncio.sleep(0.02)
        writer.write(endless)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 431 ")


async def test_an_answer_in_parts_to_http_1_0_has_no_chunks():
    async with serving(answer_in_parts) as connect:
        reader, _ = await connect(b"GET / HTTP/1.0\r\n\r\n")
        received = await asyncio.wait_for(reader.read(), 5)
        assert received.endswith(b'\r\n\r\n"no"')
        assert b"transfer-encoding" not in received
