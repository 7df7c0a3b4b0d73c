"""Large requests are refused before they begin; all others begin as ever."""

from __future__ import annotations

import asyncio

import pytest
from valence.service.server.connection_limits import EarlyRejection

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


class RecordingApplication:
    """The application: how many requests began, and with what body."""

    def __init__(self):
        self.count = 0

    async def __call__(self, scope, receive, send):
        self.count += 1
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class FakeRejection:
    """Refuses bodies that hold ``full``, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, headers, body):
        self.asked.append((dict(headers), body))
        return REFUSAL if b"full" in body else None


@pytest.fixture
def begun():
    return RecordingApplication()


@pytest.fixture
def room():
    return FakeRejection()


@pytest.fixture
async def server(begun, room):
    early_rejection = EarlyRejection(room, LARGE)
    async with started(
        begun, limits(body_idle_seconds=0.2), early_rejection=early_rejection
    ) as server:
        yield server


@pytest.fixture
async def connection(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_one_for_which_there_is_no_room_never_begins(connection, begun, room):
    reader, writer = connection
    body = b"the queue is full, is it"
    writer.write(request(body, headers=b"x-request-id: a\r\n"))
    assert await read(reader) == (b"429", b"full")
    assert begun.count == 0
    ((headers, asked),) = room.asked
    assert (headers[b"x-request-id"], asked) == (b"a", body)


async def test_the_connection_goes_on_afterwards(connection, begun):
    reader, writer = connection
    for _ in range(2):
        writer.write(request(b"the queue is full, is it"))
        assert await read(reader) == (b"429", b"full")
        writer.write(request(b"there is room, it seems"))
        assert await read(reader) == (b"200", b"ok")
    assert begun.count == 2


async def test_a_body_in_pieces_is_waited_for(connection, room, begun):
    reader, writer = connection
    whole = request(b"the queue is full, is it")
    for start in range(0, len(whole), 30):
        writer.write(whole[start : start + 30])
        await asyncio.sleep(0.01)
    assert await read(reader) == (b"429", b"full")
    assert begun.count == 0


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
async def test_all_others_begin(connection, begun, room, other):
    reader, writer = connection
    writer.write(request(**{"body": b"the queue is full, is it", **other}))
    assert await read(reader) == (b"200", b"ok")
    assert begun.count == 1
    assert not room.asked


async def test_who_sends_the_next_one_before_the_answer_has_all_answers_in_order(connection, begun):
    reader, writer = connection
    writer.write(request(b"small") + request(b"the queue is full, is it") + request(b"small"))
    assert [await read(reader) for _ in range(3)] == [(b"200", b"ok")] * 3
    assert begun.count == 3


async def test_who_waits_for_leave_to_send_the_body_has_it(connection, begun):
    reader, writer = connection
    body = b"the queue is full, is it"
    writer.write(HEAD % (b"POST", b"/v1/classify", len(body), b"expect: 100-continue\r\n"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(body)
    assert await read(reader) == (b"200", b"ok")


async def test_a_body_that_stops_coming_is_not_waited_for(connection):
    reader, writer = connection
    writer.write(request(b"the queue is full, is it")[:-5])
    status, _ = await asyncio.wait_for(read(reader), 5)
    assert status == b"408"


async def test_one_whose_body_is_on_its_way_when_the_server_ends_is_answered(server, connection):
    reader, writer = connection
    whole = request(b"the queue is full, is it")
    writer.write(whole[:-5])
    await asyncio.sleep(0.02)
    server.should_exit = True
    ending = asyncio.create_task(server.shutdown())
    # longer than a connection that waits for a request is left
    for byte in whole[-5:]:
        await asyncio.sleep(0.07)
        writer.write(bytes([byte]))
    assert await read(reader) == (b"200", b"ok")
    assert await reader.read() == b""
    await asyncio.wait_for(ending, 5)
