"""An open loop that never waits for the server and accounts for every request.

The load generator of the benchmarks counts answers; this one also counts refusals, and opens as
many
connections as the due requests need.
"""

from __future__ import annotations

import collections
import itertools
import math
import select
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.trials.bench.load import Answer
from tests.trials.bench.measure import percentile


@dataclass
class Flood:
    """Results of all requests; latencies in seconds from the time of sending.

    ``accepted_at`` has the time of sending of each accepted request, in seconds after the start.
    """

    sent: int = 0
    seconds: float = 0.0
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    accepted: list[float] = field(default_factory=list)
    accepted_at: list[float] = field(default_factory=list)
    unanswered: int = 0
    without_retry_after: int = 0

    @property
    def goodput(self) -> float:
        """Return the requests answered with 200 per second."""
        return self.statuses[200] / self.seconds

    @property
    def p99(self) -> float:
        """Return the p99 latency of the accepted requests."""
        return percentile(sorted(self.accepted), 0.99) if self.accepted else float("nan")


class _Connection:
    __slots__ = ("answer", "answered", "asked", "ends", "head", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # data sent before the connection is open waits for it
        self.socket.connect_ex(("127.0.0.1", port))
        self.answer = Answer()
        self.answered = True
        self.ends = False
        self.asked = 0.0
        self.head = b""
        self.unsent = b""

    @property
    def free(self) -> bool:
        """Return whether a request may be sent: the last one is completely sent and answered.

        A request may be refused before it is sent, and its answer may end the connection.
        """
        return self.answered and not self.unsent and not self.ends


def steady(rate: float) -> Iterator[float]:
    """Yield the times of ``rate`` requests per second, evenly spaced, in seconds."""
    return (number / rate for number in itertools.count(1))


def run(
    port: int,
    requests: Sequence[bytes],
    *,
    due: Iterable[float],
    seconds: float,
    most_connections: int,
    settle_seconds: float = 15.0,
) -> Flood:
    """Send a request at each time that is ``due``, in seconds after the start, for ``seconds``.

    A request that still waits ``settle_seconds`` after the last one was sent never gets an answer.
    """
    flood = Flood(seconds=seconds)
    connections: dict[int, _Connection] = {}
    # may hold connections that the server has closed meanwhile
    free: list[_Connection] = []
    answered = 0
    times = iter(due)
    next_due = next(times, math.inf)
    started = time.perf_counter()
    with select.epoll() as poll:
        while True:
            now = time.perf_counter()
            sending = now - started < seconds
            if not sending and (answered == flood.sent or now - started > seconds + settle_seconds):
                break
            while sending and next_due <= now - started:
                if free:
                    connection = free.pop()
                    if connection.socket.fileno() < 0:
                        continue
                elif len(connections) < most_connections:
                    connection = _Connection(port)
                    connections[connection.socket.fileno()] = connection
                    poll.register(connection.socket, select.EPOLLIN)
                else:
                    break
                connection.asked = time.perf_counter()
                connection.answered = False
                connection.unsent = requests[flood.sent % len(requests)]
                flood.sent += 1
                next_due = next(times, math.inf)
                if not _send(connection):
                    poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
            # busy waiting would slow the server down if both share the two threads of a core; a
            # request may be due for which no connection is left
            wait = min(0.05, max(0.001, next_due - (time.perf_counter() - started)))
            for number, event in poll.poll(wait if sending else 0.05):
                connection = connections[number]
                if event & select.EPOLLOUT and _send(connection):
                    poll.modify(connection.socket, select.EPOLLIN)
                if event & ~select.EPOLLOUT:
                    waited = not connection.answered
                    open_still = _receive(flood, connection, started)
                    answered += waited and connection.answered
                    if not open_still:
                        poll.unregister(connection.socket)
                        connection.socket.close()
                        del connections[number]
                        continue
                if connection.free:
                    free.append(connection)
        for connection in connections.values():
            flood.unanswered += not connection.answered
            connection.socket.close()
    return flood


def _send(connection: _Connection) -> bool:
    """Send as much as possible; return whether everything is sent."""
    try:
        sent = connection.socket.send(connection.unsent)
    except BlockingIOError:
        sent = 0
    except ConnectionError:
        # an answer that arrived before can still be received
        sent = len(connection.unsent)
    connection.unsent = connection.unsent[sent:]
    return not connection.unsent


def _receive(flood: Flood, connection: _Connection, started: float) -> bool:
    """Receive available data; return False if the server has closed the connection."""
    try:
        data = connection.socket.recv(1 << 18)
    except ConnectionError:
        data = b""
    if not data:
        flood.unanswered += not connection.answered
        connection.answered = True
        return False
    connection.head = (connection.head + data)[:2000]
    status = connection.answer.feed(data)
    if status is None:
        return True
    connection.answered = True
    connection.ends = b"\r\nconnection: close\r\n" in connection.head.lower()
    flood.statuses[status] += 1
    if status == 200:
        flood.accepted.append(time.perf_counter() - connection.asked)
        flood.accepted_at.append(connection.asked - started)
    elif status in (429, 503) and b"\r\nretry-after:" not in connection.head.lower():
        flood.without_retry_after += 1
    connection.head = b""
    return True
