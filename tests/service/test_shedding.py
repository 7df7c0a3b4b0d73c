"""Large requests are refused before they begin; all other requests are handled as usual."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.protocol import limits, port_of, started

LARGE = 20
REFUSAL = {
    "type": "http.response.start",
    "status": 429,
    "headers": [(b"content-length", b"4"), (b"retry-after", b"1")],
    "body": b"full",
}
HEAD = b"%s %s HTTP/1.1\r\nhost: valence\r\ncontent-length: %d\r\n%s\r\n"


def request(body, *, method=b"POST", url=b"/v1/classify", headers=b""):
    return HEAD % (method, url, len(body), headers) + body


async def read(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length")
    ]
    return head.split(b" ")[1], await reader.readexactly(length)


class RecordingApp:
    """Application that counts the requests it gets."""

    def __init__(self):
        self.count = 0

    async def __call__(self, scope, receive, send):
        self.count += 1
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class FakeShedding:
    """Refuse bodies that hold ``full``, and record the calls."""

    def __init__(self):
        self.asked = []

    def __call__(self, headers, body):
        self.asked.append((dict(headers), body))
        return REFUSAL if b"full" in body else None


@pytest.fixture
def recording_app():
    return RecordingApp()


@pytest.fixture
def shedding():
    return FakeShedding()


@pytest.fixture
async def server(recording_app, shedding):
    watched = {"shed": shedding, "shed_from": LARGE}
    async with started(recording_app, limits(body_idle_seconds=0.2), **watched) as server:
        yield server


@pytest.fixture
async def connection(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_a_shed_request_never_reaches_the_application(connection, recording_app, shedding):
    reader, writer = connection
    body = b"the queue is full, is it"
    writer.write(request(body, headers=b"x-request-id: a\r\n"))
    assert await read(reader) == (b"429", b"full")
    assert recording_app.count == 0
    ((headers, asked),) = shedding.asked
    assert (headers[b"x-request-id"], asked) == (b"a", body)


async def test_the_connection_stays_open_after_shedding(connection, recording_app):
    reader, writer = connection
    for _ in range(2):
        writer.write(request(b"the queue is full, is it"))
        assert await read(reader) == (b"429", b"full")
        writer.write(request(b"there is room, it seems"))
        assert await read(reader) == (b"200", b"ok")
    assert recording_app.count == 2


async def test_shedding_waits_for_a_body_in_pieces(connection, shedding, recording_app):
    reader, writer = connection
    whole = request(b"the queue is full, is it")
    for start in range(0, len(whole), 30):
        writer.write(whole[start : start + 30])
        await asyncio.sleep(0.01)
    assert await read(reader) == (b"429", b"full")
    assert recording_app.count == 0


@pytest.mark.parametrize(
    "other",
    [
        {"method": b"PUT"},
        {"url": b"/v1/classify/stream"},
        {"url": b"/v1/classify?x"},
        {"headers": b"connection: close\r\n"},
        {"body": b"full but small"},
        {"body": b"full" * 20_000},
    ],
    ids=lambda other: str(other)[:40],
)
async def test_all_other_requests_reach_the_application(connection, recording_app, shedding, other):
    reader, writer = connection
    writer.write(request(**{"body": b"the queue is full, is it", **other}))
    assert await read(reader) == (b"200", b"ok")
    assert recording_app.count == 1
    assert not shedding.asked


async def test_pipelined_requests_are_answered_in_order(connection, recording_app):
    reader, writer = connection
    writer.write(request(b"small") + request(b"the queue is full, is it") + request(b"small"))
    assert [await read(reader) for _ in range(3)] == [(b"200", b"ok")] * 3
    assert recording_app.count == 3


async def test_a_client_that_expects_100_continue_gets_it(connection, recording_app):
    reader, writer = connection
    body = b"the queue is full, is it"
    writer.write(HEAD % (b"POST", b"/v1/classify", len(body), b"expect: 100-continue\r\n"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(body)
    assert await read(reader) == (b"200", b"ok")


async def test_a_stalled_body_gets_408(connection):
    reader, writer = connection
    writer.write(request(b"the queue is full, is it")[:-5])
    status, _ = await asyncio.wait_for(read(reader), 5)
    assert status == b"408"


async def test_a_request_whose_body_arrives_at_shutdown_is_answered(server, connection):
    reader, writer = connection
    whole = request(b"the queue is full, is it")
    writer.write(whole[:-5])
    await asyncio.sleep(0.02)
    server.should_exit = True
    ending = asyncio.create_task(server.shutdown())
    # longer than an idle connection is kept
    for byte in whole[-5:]:
        await asyncio.sleep(0.07)
        writer.write(bytes([byte]))
    assert await read(reader) == (b"200", b"ok")
    assert await reader.read() == b""
    await asyncio.wait_for(ending, 5)
