"""The second port, over real sockets, while the connections of the first one are taken."""

from __future__ import annotations

import asyncio
import socket

import pytest
from valence.service.api.http.response import Response
from valence.service.server.admin import AdminServer
from valence.service.server.connection_limits import ConnectionLimiter
from valence.service.server.event_loop import BatchAcceptLoop

from tests.support.protocol_servers import limits

GET = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.fixture
def free():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def alive(scope, receive, send):
    await Response(scope["path"].encode())(scope, receive, send)


def make_admin(number, **limited):
    limiter = ConnectionLimiter(limits(**limited), lambda reason: None, application=alive)
    return AdminServer(alive, number, limiter)


async def ask(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(GET)
    received = await asyncio.wait_for(reader.readuntil(b"/livez"), 5)
    writer.close()
    await writer.wait_closed()
    return received


async def test_probes_are_answered_with_a_date(free):
    admin = make_admin(free)
    await admin.start("127.0.0.1")
    received = await ask(free)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ndate: " in received.lower() or received.lower().startswith(b"date: ")
    admin.close()


async def test_idle_strangers_cannot_fill_the_port(free):
    admin = make_admin(free, connections=3, idle_seconds=0.05)
    await admin.start("127.0.0.1")
    strangers = [await asyncio.open_connection("127.0.0.1", free) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert (await ask(free)).startswith(b"HTTP/1.1 200 OK\r\n")
    admin.close()
    for _, writer in strangers:
        writer.close()


async def test_two_workers_share_the_port(free):
    admins = [make_admin(free) for _ in range(2)]
    for admin in admins:
        await admin.start("127.0.0.1")
    for _ in range(10):
        assert (await ask(free)).startswith(b"HTTP/1.1 200 OK\r\n")
    admins[0].close()
    await asyncio.sleep(0.05)
    for _ in range(10):
        assert (await ask(free)).startswith(b"HTTP/1.1 200 OK\r\n")
    admins[1].close()


def test_a_full_first_port_leaves_the_second_one(free):
    """In the event loop of the service, whose admission is that of the first port."""

    class FullAdmission:
        def capacity(self):
            return 0

        refusal_capacity = capacity

    loop = BatchAcceptLoop()
    loop.admission = FullAdmission()
    received = []

    async def run():
        admin = make_admin(free)

        async def start_admin(listening):
            await admin.start(listening.getsockname()[0])

        loop.on_listening = start_admin
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = await loop.create_server(asyncio.Protocol, sock=listening)
            waiting = socket.create_connection(listening.getsockname())
            received.append(await ask(free))
            server.close()
            waiting.close()
        admin.close()

    loop.run_until_complete(run())
    loop.close()
    assert received[0].startswith(b"HTTP/1.1 200 OK\r\n")
