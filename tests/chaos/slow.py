"""Clients that send a byte a second: do they keep others waiting, and how long are they kept?"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator

from service.settings import Settings
from tests.bench import load, texts
from tests.bench.load import Job, post
from tests.bench.processes import generator_cpu
from tests.chaos.finding import Finding
from tests.chaos.served import serve

_MOST_RATIO = 1.5
_HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_BODY = json.dumps({"text": "slow " * 100}).encode()


class _Crowd(threading.Thread):
    """Half of the clients are slow with their headers, half with their bodies."""

    def __init__(self, port: int, *, clients: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._open: dict[socket.socket, tuple[float, bytes]] = {}
        self._clients = clients
        self.kept: list[float] = []
        """How long each was kept, in seconds."""
        self.stop = False

    @property
    def left(self) -> int:
        """Clients that the server still listens to."""
        return len(self._open)

    def enter(self) -> None:
        """Connect all of them."""
        for number in range(self._clients):
            client = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            client.setblocking(False)
            whole = _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
            begun = len(whole) - len(_BODY) if number % 2 else 0
            if begun:
                client.send(whole[:begun])
            self._open[client] = (time.perf_counter(), whole[begun:])

    def run(self) -> None:
        """A byte of each a second, not all at one moment, until the server has closed all."""
        while self._open and not self.stop:
            pause = 1.0 / len(self._open)
            for client, (since, rest) in list(self._open.items()):
                time.sleep(pause)
                if self._closed(client):
                    self.kept.append(time.perf_counter() - since)
                    client.close()
                    del self._open[client]
                    continue
                with contextlib.suppress(OSError):
                    client.send(rest[:1])
                self._open[client] = (since, rest[1:])
        for client in self._open:
            client.close()

    @staticmethod
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
        crowd = _Crowd(server.port, clients=clients)
        crowd.enter()
        crowd.start()
        beside = load.run(normal)
        crowd.join(3 * stated + 600)
        left, crowd.stop = crowd.left, True
        crowd.join(5)
    ratio = beside.p99 / alone.p99
    longest = max(crowd.kept, default=float("nan"))
    yield Finding(
        fault="slow clients",
        tried=f"{clients} that send a byte a second, headers and bodies, beside a quarter of the "
        "peak",
        lost=f"normal p99 {alone.p99 * 1e3:.1f} ms to {beside.p99 * 1e3:.1f} ms ({ratio:.2f} "
        f"times); {beside.failed} normal requests failed; {left} never closed, the others after "
        f"{longest:.0f} s at most",
        promise=f"normal p99 within {_MOST_RATIO} times; slow ones closed in the stated time",
        held=ratio <= _MOST_RATIO and not beside.failed and not left and longest <= stated + 3,
    )
