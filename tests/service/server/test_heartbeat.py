import asyncio
import os
import struct
from collections.abc import Iterator

import pytest
from valence.service.server import heartbeat
from valence.service.server.heartbeat import HeartbeatWatch


class Watched:
    """A watch with a pipe of its own; ``hung`` are the processes that it has reported."""

    def __init__(self, reading: int, writing: int) -> None:
        self._writing = writing
        self.hung: list[int] = []
        self._watch = HeartbeatWatch(
            reading, hung_seconds=5.0, report_hung=self.hung.append, look=lambda: None
        )

    def beat(self, *processes: int) -> None:
        for process in processes:
            os.write(self._writing, struct.pack("=i", process))

    def look(self, seconds: float = 0.5) -> None:
        self._watch.look(seconds)


@pytest.fixture
def watched() -> Iterator[Watched]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield Watched(reading, writing)
    os.close(reading)
    os.close(writing)


def test_a_worker_without_heartbeats_is_reported_once(watched):
    watched.beat(7, 8)
    watched.look()
    for _ in range(9):
        watched.beat(8, 8)
        watched.look()
    assert watched.hung == []
    watched.look()
    assert watched.hung == [7]
    for _ in range(9):
        watched.beat(8)
        watched.look()
    assert watched.hung == [7]


def test_a_heartbeat_ends_the_silence(watched):
    watched.beat(7)
    watched.look()
    for _ in range(5):
        for _ in range(9):
            watched.look()
        watched.beat(7)
    assert watched.hung == []


def test_time_that_the_first_process_slept_does_not_count(watched):
    watched.beat(7)
    watched.look()
    for _ in range(4):
        watched.look(seconds=3600)
    assert watched.hung == []


async def test_an_event_loop_sends_heartbeats(monkeypatch):
    reading = heartbeat.open_pipe()
    try:
        writing = int(os.environ["_VALENCE_HEARTBEAT"])
        assert os.get_inheritable(writing)
        heartbeat.send_heartbeats(hung_seconds=0.1)
        await asyncio.sleep(0.1)
        content = os.read(reading, 4096)
        assert len(content) >= 3 * 4
        assert content[:4] == struct.pack("=i", os.getpid())
        # a first process that is stopped delays nobody
        assert not os.get_blocking(writing)
        assert not os.get_inheritable(writing)
    finally:
        os.close(reading)


async def test_a_worker_that_is_not_worth_keeping_sends_none(monkeypatch):
    reading = heartbeat.open_pipe()
    alive = True
    try:
        heartbeat.send_heartbeats(hung_seconds=0.1, is_alive=lambda: alive)
        alive = False
        await asyncio.sleep(0.02)
        assert os.read(reading, 4096)
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            os.read(reading, 4096)
    finally:
        os.close(reading)


@pytest.mark.parametrize("given", ["", "x", "-1", "99999", "0"])
async def test_without_a_first_process_no_heartbeat_is_sent(monkeypatch, given):
    monkeypatch.setenv("_VALENCE_HEARTBEAT", given)
    sent = []
    monkeypatch.setattr(heartbeat.os, "write", lambda *arguments: sent.append(arguments))
    monkeypatch.setattr(heartbeat.stat, "S_ISFIFO", lambda mode: False)
    heartbeat.send_heartbeats(hung_seconds=0.1)
    await asyncio.sleep(0.03)
    assert sent == []
