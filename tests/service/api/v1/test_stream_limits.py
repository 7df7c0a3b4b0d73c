"""The time limits of a stream over a socket, with the default settings, on a fast clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from valence.service.settings import Settings

from tests.support.fast_clocks import FastLoop
from tests.support.protocol_servers import limits, port_of, started

DEFAULTS = Settings()
HEAD = (
    b"POST /v1/classify/stream HTTP/1.1\r\nhost: valence\r\n"
    b"content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
# a stall of a busy machine lasts as many times longer
SPEED = 15.0
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


def chunk(*texts: str) -> bytes:
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    return b"%x\r\n%s\r\n" % (len(lines), lines)


def lines_of(answer: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines() if line.startswith(b"{")]


def talk_to(served: Any, talk: Talk) -> Any:
    """Let ``talk`` use a connection to ``served``, and return its result."""

    async def run() -> Any:
        server_limits = limits(
            header_seconds=DEFAULTS.header_timeout_seconds,
            body_idle_seconds=DEFAULTS.body_idle_seconds,
            keep_alive_seconds=DEFAULTS.keep_alive_seconds,
        )

        async def unused(*_given: Any) -> None:
            raise AssertionError

        async with started(unused, server_limits, application=served.app) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            try:
                return await talk(reader, writer)
            finally:
                writer.close()

    with asyncio.Runner(loop_factory=lambda: FastLoop(SPEED)) as runner:
        return runner.run(run())


@pytest.mark.parametrize("pause", [11, 40])
def test_a_client_may_pause_for_longer_than_other_bodies(served: Any, pause: float) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD + chunk("good"))
        await reader.readuntil(b'"line":1')
        await asyncio.sleep(pause)
        writer.write(chunk("bad") + END)
        return await reader.readuntil(END)

    assert [line["line"] for line in lines_of(talk_to(served, talk))] == [2]
    assert served.lines()[-1]["status"] == 200


def test_a_stream_that_stands_still_ends_with_its_last_line(served: Any) -> None:
    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[float, bytes]:
        writer.write(HEAD + chunk("good") + b"f\r\n{")
        await reader.readuntil(b'"line":1')
        began = asyncio.get_running_loop().time()
        answer = await reader.readuntil(END)
        return asyncio.get_running_loop().time() - began, answer

    seconds, answer = talk_to(served, talk)
    assert DEFAULTS.stream_idle_seconds <= seconds < 2 * DEFAULTS.stream_idle_seconds
    last = lines_of(answer)[-1]
    assert (last["line"], last["resume_from"]) == (2, 2)
    assert last["error"]["type"].endswith("deadline-exceeded")
    assert served.lines()[-1]["status"] == 200
    assert 'valence_rejected_requests_total{reason="deadline-exceeded"} 1.0' in exposition(served)


def test_a_client_may_read_nothing_for_a_while(served: Any) -> None:
    count = 20_000

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD)

        async def send() -> None:
            for _ in range(count // 100):
                writer.write(chunk(*["good"] * 100))
                await writer.drain()
            writer.write(END)

        sending = asyncio.create_task(send())
        await asyncio.sleep(30)
        assert served.metrics.in_flight == 1, "all answers fit into the buffers"
        answer = b""
        while not answer.endswith(END):
            answer += await reader.read(2**20)
        await sending
        return answer

    assert talk_to(served, talk).count(b'{"line":') == count
    assert served.lines()[-1]["status"] == 200


def test_a_client_that_never_reads_is_cut_off_and_counted(served: Any) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        writer.write(HEAD + chunk(*["good"] * 20_000))
        began = asyncio.get_running_loop().time()
        while not served.logged.getvalue():
            await asyncio.sleep(1)
            served.log.flush()
            assert asyncio.get_running_loop().time() - began < 5 * DEFAULTS.stream_idle_seconds
        return asyncio.get_running_loop().time() - began

    seconds = talk_to(served, talk)
    assert seconds >= DEFAULTS.stream_idle_seconds
    cut = served.lines()[0]
    assert (cut["event"], cut["type"]) == ("answer cut short", "TimeoutError")
    assert 'valence_rejected_requests_total{reason="deadline-exceeded"} 1.0' in exposition(served)


def exposition(served: Any) -> str:
    served.metrics.flush()
    return str(served.metrics.exposition().decode())
