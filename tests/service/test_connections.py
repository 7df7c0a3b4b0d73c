"""What connections are left when the server ends."""

import asyncio

import pytest
import uvicorn

from service import connections
from service.connections import ConnectionLimits, ConnectionWatch, LimitedProtocol

REQUEST = b"GET / HTTP/1.1\r\nhost: valence\r\n\r\n"
LIMITS = ConnectionLimits(
    header_bytes=1000,
    header_seconds=5,
    body_idle_seconds=5,
    keep_alive_seconds=5,
    connections=10,
)


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"][connections.STATE] = ConnectionWatch(LIMITS)
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def server():
    config = uvicorn.Config(
        application, port=0, http=LimitedProtocol, log_level="critical", lifespan="on"
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server
    if not server.should_exit:
        await server.shutdown()


async def connect(server):
    port = server.servers[0].sockets[0].getsockname()[1]
    return await asyncio.open_connection("127.0.0.1", port)


async def test_a_request_that_was_on_its_way_when_the_server_ended_is_answered(server):
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
