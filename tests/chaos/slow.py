"""Clients that send a byte a second: do they keep others waiting, and how long are they kept?"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from threading import Event
from typing import NamedTuple

from service.settings import Settings
from tests.bench import load, texts
from tests.bench.load import Job, post
from tests.bench.processes import generator_cpu
from tests.chaos.finding import Finding
from tests.chaos.served import serve

_MOST_RATIO = 1.5
_HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_BODY = json.dumps({"text": "slow " * 100}).encode()


class Left(NamedTuple):
    """What became of the slow clients."""

    kept: list[float]
    """How long each that the server closed was kept, in seconds."""
    open: int
    """How many it never closed."""


def _crowd(port: int, clients: int, most_seconds: float, entered: Event) -> Left:
    """Slow clients until the server has closed them all; half are slow with their headers, half
    with their bodies.

    In a process of their own, since threads would wait for each other's bytes.
    """
    waiting: dict[socket.socket, tuple[float, bytes]] = {}
    for number in range(clients):
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.setblocking(False)
        whole = _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
        begun = len(whole) - len(_BODY) if number % 2 else 0
        if begun:
            client.send(whole[:begun])
        waiting[client] = (time.perf_counter(), whole[begun:])
    entered.set()
    kept: list[float] = []
    ends = time.perf_counter() + most_seconds
    # a byte of each a second, not all at one moment
    while waiting and time.perf_counter() < ends:
        pause = 1.0 / len(waiting)
        for client, (since, rest) in list(waiting.items()):
            time.sleep(pause)
            if _closed(client):
                kept.append(time.perf_counter() - since)
                client.close()
                del waiting[client]
                continue
            with contextlib.suppress(OSError):
                client.send(rest[:1])
            waiting[client] = (since, rest[1:])
    for client in waiting:
        client.close()
    return Left(kept, len(waiting))


def _closed(client: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        try:
            while data := client.recv(65536):
                if not data:
                    break
        except ConnectionError:
            return True
        return True
    return False


def run(*, clients: int = 500, seconds: float = 10.0) -> Iterator[Finding]:
    """Normal load without them and beside them, then until the last is closed."""
    os.sched_setaffinity(0, {generator_cpu()})
    settings = Settings()
    stated = max(settings.header_timeout_seconds, settings.body_idle_seconds)
    bodies = [
        post("/v1/classify", json.dumps({"text": text}).encode()) for text in texts.sentences(2_000)
    ]
    with serve() as server:
        peak = load.run(
            Job(port=server.port, requests=bodies, connections=64, seconds=4.0)
        ).per_second
        normal = Job(
            port=server.port, requests=bodies, connections=64, seconds=seconds, rate=peak / 4
        )
        alone = load.run(normal)
        with multiprocessing.Manager() as manager, ProcessPoolExecutor(1) as pool:
            entered = manager.Event()
            crowd = pool.submit(_crowd, server.port, clients, 3 * stated + 60, entered)
            entered.wait()
            beside = load.run(normal)
            left = crowd.result()
    ratio = beside.p99 / alone.p99
    longest = max(left.kept, default=float("nan"))
    yield Finding(
        fault="slow clients",
        tried=f"{clients} that send a byte a second, headers and bodies, beside a quarter of the "
        "peak",
        lost=f"normal p99 {alone.p99 * 1e3:.1f} ms to {beside.p99 * 1e3:.1f} ms ({ratio:.2f} "
        f"times); {beside.failed} normal requests failed; {left.open} never closed, the others "
        f"after {longest:.0f} s at most",
        promise=f"normal p99 within {_MOST_RATIO} times; slow ones closed in the stated time",
        held=ratio <= _MOST_RATIO and not beside.failed and not left.open and longest <= stated + 3,
    )
