import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.trials.bench.load import post
from tests.trials.chaos import flood

ANSWERS = {
    b"good": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"full": b"HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    b"rude": b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n",
    b"last": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
}


@pytest.fixture
def port() -> Iterator[int]:
    """Run a server that answers with the status in the request's body, and never answers
    ``none``.
    """
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                if body in ANSWERS:
                    writer.write(ANSWERS[body])
                if body == b"last":
                    await asyncio.sleep(0.01)
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def end() -> None:
        server.close()
        # the clients have disconnected: each conversation only has to notice this
        await asyncio.sleep(0.05)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        await asyncio.sleep(0.05)

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def run(port: int, *bodies: bytes, most: int = 50, **given: float) -> flood.Flood:
    requests = [post("/", body) for body in bodies]
    due = flood.steady(200)
    return flood.run(port, requests, due=due, seconds=0.5, most_connections=most, **given)


def test_every_request_is_accounted_for(port):
    wave = run(port, b"good", b"full")
    # on a busy machine fewer than are due in half a second
    assert 0 < wave.sent <= 100
    assert abs(wave.statuses[200] - wave.statuses[429]) <= 1
    assert wave.statuses.total() == wave.sent
    assert (wave.unanswered, wave.without_retry_after) == (0, 0)
    assert wave.goodput == 2 * wave.statuses[200] == 2 * len(wave.accepted)
    assert wave.p99 == max(wave.accepted)
    assert len(wave.accepted_at) == len(wave.accepted)
    assert all(0 < at < 0.5 + 0.1 for at in wave.accepted_at)


def test_a_refusal_without_retry_after_is_counted(port):
    wave = run(port, b"good", b"rude")
    assert wave.without_retry_after == wave.statuses[429] > 0


def test_requests_without_an_answer_are_counted(port):
    wave = run(port, b"good", b"none", most=200, settle_seconds=0.2)
    assert wave.unanswered == wave.sent - wave.statuses[200] > 0
    assert set(wave.statuses) == {200}


def test_a_closing_connection_gets_no_further_request(port):
    wave = run(port, b"last", most=200)
    assert wave.sent == wave.statuses[200] > 0
    assert wave.unanswered == 0


def test_the_number_of_open_connections_is_limited(port):
    wave = run(port, b"none", most=7, settle_seconds=0.2)
    assert wave.sent == wave.unanswered == 7
