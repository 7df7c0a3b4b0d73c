"""Clients that send one byte per second: do they delay others, and how long are they kept?"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from threading import Event
from typing import NamedTuple

from valence.service.settings import Settings

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, Result, post
from tests.trials.bench.processes import generator_cpu
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import serve

_MOST_RATIO = 1.5
# shorter than the server's limit for slow clients, so that all are connected throughout
_WINDOW_SECONDS = 8.0
# machines pause for tens of milliseconds now and then, independent of the connected clients, and
# the
# p99 of one round shows that
_ROUNDS = 9
_HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_BODY = json.dumps({"text": "slow " * 100}).encode()


class CrowdResult(NamedTuple):
    """What happened to the slow clients."""

    kept: list[float]
    """Seconds until the server closed each of the closed clients."""
    open: int
    """Number of clients that the server never closed."""


def _crowd(
    port: int, clients: int, most_seconds: float, entered: Event, over: Event
) -> CrowdResult:
    """Run slow clients until the server has closed them all or ``over`` is set; half of them are
    slow
    with their headers, half with their bodies.

    They run in a separate process, because threads would wait for each other's bytes.
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
    # each client sends a byte per second, not all at the same moment
    while waiting and not over.is_set() and time.perf_counter() < ends:
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
    return CrowdResult(kept, len(waiting))


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


@contextlib.contextmanager
def unread_port(clients: int) -> Iterator[int]:
    """Yield the port of a socket that accepts clients and never reads. The crowd shares a core with
    the load generator, and costs the generator the same here as at the server."""
    with socket.create_server(("127.0.0.1", 0), backlog=clients) as listener:
        port: int = listener.getsockname()[1]
        yield port


def _beside(
    port: int, normal: Job, clients: int, most_seconds: float, *, leave: bool
) -> tuple[Result, CrowdResult]:
    """Run the normal load while a crowd is at ``port``; return the load's result and the crowd's.
    The
    crowd leaves when the load ends or after the server has closed it."""
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(1) as pool:
        entered, over = manager.Event(), manager.Event()
        crowd = pool.submit(_crowd, port, clients, most_seconds, entered, over)
        entered.wait()
        result = load.run(normal)
        if leave:
            over.set()
        return result, crowd.result()


def run(*, clients: int = 500, seconds: float = _WINDOW_SECONDS) -> Iterator[Finding]:
    """Alternate normal load beside slow clients of an unread socket and beside slow clients of the
    server; each time until the last of the latter is closed."""
    os.sched_setaffinity(0, {generator_cpu()})
    settings = Settings()
    stated = max(settings.header_timeout_seconds, settings.body_idle_seconds)
    most = 3 * stated + 60
    bodies = [
        post("/v1/classify", json.dumps({"text": text}).encode()) for text in texts.sentences(2_000)
    ]
    elsewhere: list[Result] = []
    here: list[Result] = []
    crowds: list[CrowdResult] = []
    with serve() as server:
        closed = Job(port=server.port, requests=bodies, connections=64, seconds=4.0, warm_up=2.0)
        rate = load.run(closed).per_second / 4
        normal = Job(port=server.port, requests=bodies, connections=64, seconds=seconds, rate=rate)
        for _ in range(_ROUNDS):
            with unread_port(clients) as unread:
                elsewhere.append(_beside(unread, normal, clients, most, leave=True)[0])
            result, left = _beside(server.port, normal, clients, most, leave=False)
            here.append(result)
            crowds.append(left)
    without, with_them = (
        statistics.median(result.p99 for result in results) for results in (elsewhere, here)
    )
    ratio = with_them / without
    failed = sum(result.failed for result in here)
    remained = sum(left.open for left in crowds)
    longest = max((kept for left in crowds for kept in left.kept), default=float("nan"))
    rounds = ", ".join(
        f"{one.p99 * 1e3:.1f} to {other.p99 * 1e3:.1f}"
        for one, other in zip(elsewhere, here, strict=True)
    )
    yield Finding(
        fault="slow clients",
        tried=f"{clients} clients that send one byte per second, headers or bodies, beside a "
        f"quarter of the peak; {_ROUNDS} times, alternating with as many clients at a "
        "socket that is not read",
        lost=f"normal p99 {without * 1e3:.1f} ms to {with_them * 1e3:.1f} ms ({ratio:.2f} times; "
        f"{rounds}); {failed} normal requests failed; {remained} never closed, the others "
        f"after {longest:.0f} s at most",
        promise=f"normal p99 within {_MOST_RATIO} times; slow ones closed in the stated time",
        held=ratio <= _MOST_RATIO and not failed and not remained and longest <= stated + 3,
    )
