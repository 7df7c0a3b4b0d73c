"""The load generator: one thread, one ``epoll``, raw HTTP/1.1 over persistent connections.

For each request it only sends prepared bytes and finds the end of the answer, so that one core of
it is faster than any of the servers. It runs in its own process on its own core.

*Closed loop*: each connection sends its next request after it has its answer. *Open loop*: requests
are due at precomputed times, whether or not earlier ones are answered, and a latency counts from
the time when its request was due. A pause of the server therefore affects all requests that were
due meanwhile (no coordinated omission, Tene 2015).
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.trials.bench.measure import percentile
from tests.trials.bench.processes import BenchError, cpu_seconds

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """What to send where; ``warm_up`` seconds come first and do not count.

    With a ``rate`` (requests per second) the loop is open, otherwise closed. ``spacing`` describes
    the arrivals of an open loop: ``even``, or ``poisson``, as from many independent clients.
    ``pids`` are the processes of the server, whose processor time is measured in the same window.
    Requests without an answer are waited for ``drain_seconds`` after the window.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    warm_up: float = 0.5
    rate: float | None = None
    spacing: str = "even"
    seed: int = 0
    pids: Sequence[int] = ()
    drain_seconds: float = 5.0


@dataclass(frozen=True)
class Result:
    """Answers received in the window; latencies in seconds."""

    answered: int
    failed: int
    seconds: float
    cpu_seconds: float
    p50: float
    p99: float
    lag_p99: float
    """Delay in seconds with which an open loop sent due requests although a connection was free:
    the
    generator's own error."""

    @property
    def per_second(self) -> float:
        """Answered requests per second."""
        return self.answered / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Answered requests per second of the server's processor time."""
        return self.answered / self.cpu_seconds if self.cpu_seconds else float("nan")


def post(path: str, body: bytes) -> bytes:
    """Return the bytes of a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def schedule(job: Job) -> list[float]:
    """Return the times at which requests of an open loop are due, in seconds after the start."""
    if job.rate is None:
        raise ValueError("a closed loop has no schedule")
    count = int(job.rate * (job.warm_up + job.seconds))
    if job.spacing == "even":
        gaps = np.full(count, 1.0 / job.rate)
    elif job.spacing == "poisson":
        gaps = np.random.default_rng(job.seed).exponential(1.0 / job.rate, count)
    else:
        raise ValueError(f"spacing {job.spacing!r}: choose even or poisson")
    due: list[float] = np.cumsum(gaps).tolist()
    return due


def run(job: Job) -> Result:
    """Run a job; raises :class:`BenchError` if a connection fails to open or breaks."""
    return _Run(job).result()


class Answer:
    """An HTTP answer as it arrives; answers without a Content-Length are errors."""

    __slots__ = ("_received", "_whole")

    def __init__(self) -> None:
        self._received = b""
        self._whole = 0

    def feed(self, data: bytes) -> int | None:
        """Add data; return the status when the answer is complete, otherwise None."""
        received = self._received = self._received + data if self._received else data
        if not self._whole:
            head = received.find(b"\r\n\r\n")
            if head < 0:
                return None
            length = _LENGTH.search(received, 0, head)
            if length is None:
                raise BenchError(f"an answer without Content-Length: {received[:200]!r}")
            self._whole = head + 4 + int(length.group(1))
        if len(received) < self._whole:
            return None
        if len(received) > self._whole:
            raise BenchError("more was answered than was asked")
        self._received, self._whole = b"", 0
        return int(received[9:12])


class _Connection:
    __slots__ = ("answer", "free_since", "socket", "started")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS)
        self.socket.setblocking(True)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = Answer()
        self.started = 0.0
        self.free_since = 0.0


class _Run:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._due = deque[float](schedule(job) if job.rate else ())
        self._sent = 0
        self._failed = 0
        self._finished: list[tuple[float, float]] = []  # time of the answer, and its latency
        self._lags: list[float] = []

    def result(self) -> Result:
        job = self._job
        connections = [_Connection(job.port) for _ in range(job.connections)]
        try:
            with select.epoll() as poll:
                for connection in connections:
                    poll.register(connection.socket, select.EPOLLIN)
                return self._loop(poll, connections)
        finally:
            for connection in connections:
                connection.socket.close()

    def _loop(self, poll: select.epoll, connections: list[_Connection]) -> Result:
        job, clock = self._job, time.perf_counter
        by_number = {connection.socket.fileno(): connection for connection in connections}
        free = deque(connections)
        # clock times in seconds of the starts of the loop and of the window, and of their end
        start = clock()
        opens, closes = start + job.warm_up, start + job.warm_up + job.seconds
        cpu_before = cpu_after = 0.0
        opened = closed = False
        while True:
            now = clock()
            if not opened and now >= opens:
                cpu_before, opens, opened = cpu_seconds(job.pids), clock(), True
            if not closed and now >= closes:
                cpu_after, closes, closed = cpu_seconds(job.pids), clock(), True
            settled = len(free) == len(connections) and not self._due
            if closed and (settled or now > closes + job.drain_seconds):
                break
            self._send(free, start=start, now=now, closed=closed)
            # an open loop never sleeps: waking up would take longer than a request
            for number, _ in poll.poll(0 if job.rate else 0.05):
                connection = by_number[number]
                data = connection.socket.recv(1 << 18)
                if not data:
                    raise BenchError("the server closed a connection")
                status = connection.answer.feed(data)
                if status is None:
                    continue
                finished = connection.free_since = clock()
                if opened and not closed and status != 200:
                    self._failed += 1
                elif status == 200:
                    self._finished.append((finished, finished - connection.started))
                free.append(connection)
        if job.rate is None:
            inside = sorted(taken for when, taken in self._finished if opens <= when <= closes)
        else:
            # All requests that were due in the window count. A request without an answer counts
            # with the
            # time it has waited; otherwise the slowest requests would be left out.
            waiting = {connection.started for connection in set(connections) - set(free)}
            waiting |= {start + due for due in self._due}
            self._finished += [(now, now - started) for started in waiting]
            self._failed += sum(opens <= started <= closes for started in waiting)
            inside = sorted(
                taken for when, taken in self._finished if opens <= when - taken <= closes
            )
        if not inside:
            raise BenchError("nothing was answered; measure longer")
        return Result(
            answered=len(inside),
            failed=self._failed,
            seconds=closes - opens,
            cpu_seconds=cpu_after - cpu_before,
            p50=percentile(inside, 0.5),
            p99=percentile(inside, 0.99),
            lag_p99=percentile(sorted(self._lags), 0.99) if self._lags else 0.0,
        )

    def _send(self, free: deque[_Connection], *, start: float, now: float, closed: bool) -> None:
        requests = self._job.requests
        if self._job.rate is None:
            while free and not closed:
                self._ask(free.popleft(), requests, started=time.perf_counter())
            return
        due = self._due
        while due and free and start + due[0] <= now:
            started = start + due.popleft()
            connection = free.popleft()
            self._lags.append(now - max(started, connection.free_since))
            self._ask(connection, requests, started=started)

    def _ask(self, connection: _Connection, requests: Sequence[bytes], *, started: float) -> None:
        connection.started = started
        connection.socket.sendall(requests[self._sent % len(requests)])
        self._sent += 1
