"""An open loop that never waits for the server: every request is told apart and accounted for.

Unlike the benchmark's generator it is after refusals as much as after answers, and opens as many
connections as it takes to send what is due.
"""

from __future__ import annotations

import collections
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.load import Answer
from tests.bench.measure import percentile

# what still waits this long after the last was sent never gets an answer
_SETTLE_SECONDS = 15.0


@dataclass
class Flood:
    """What became of every request; latencies in seconds, from when it was sent."""

    sent: int = 0
    seconds: float = 0.0
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    accepted: list[float] = field(default_factory=list)
    unanswered: int = 0
    without_retry_after: int = 0

    @property
    def goodput(self) -> float:
        """Requests answered with 200 a second."""
        return self.statuses[200] / self.seconds

    @property
    def p99(self) -> float:
        """Of the accepted requests."""
        return percentile(sorted(self.accepted), 0.99) if self.accepted else float("nan")


class _Connection:
    __slots__ = ("answer", "answered", "asked", "head", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.answer = Answer()
        self.answered = True
        self.asked = 0.0
        self.head = b""
        self.unsent = b""

    @property
    def free(self) -> bool:
        """Whether the last request is sent whole, and answered: it may be refused before it is."""
        return self.answered and not self.unsent


def run(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, most_connections: int
) -> Flood:
    """Send ``rate`` requests a second, evenly, for ``seconds``."""
    flood = Flood(seconds=seconds)
    connections: dict[int, _Connection] = {}
    # may hold some that the server has closed meanwhile
    free: list[_Connection] = []
    started = time.perf_counter()
    with select.epoll() as poll:
        while True:
            now = time.perf_counter()
            sending = now - started < seconds
            waiting = sum(not connection.answered for connection in connections.values())
            if not sending and (not waiting or now - started > seconds + _SETTLE_SECONDS):
                break
            while sending and flood.sent < (now - started) * rate:
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
                _send(poll, connection)
            for number, event in poll.poll(0 if sending else 0.05):
                connection = connections[number]
                if event & select.EPOLLOUT:
                    _send(poll, connection)
                if event & ~select.EPOLLOUT and not _receive(flood, connection):
                    poll.unregister(connection.socket)
                    connection.socket.close()
                    del connections[number]
                elif connection.free:
                    free.append(connection)
        for connection in connections.values():
            flood.unanswered += not connection.answered
            connection.socket.close()
    return flood


def _send(poll: select.epoll, connection: _Connection) -> None:
    try:
        sent = connection.socket.send(connection.unsent)
    except BlockingIOError:
        sent = 0
    except ConnectionError:
        # whatever was answered before can still be received
        sent = len(connection.unsent)
    connection.unsent = connection.unsent[sent:]
    waits = select.EPOLLOUT if connection.unsent else 0
    poll.modify(connection.socket, select.EPOLLIN | waits)


def _receive(flood: Flood, connection: _Connection) -> bool:
    """Take what has come; False when the server has closed the connection."""
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
    flood.statuses[status] += 1
    if status == 200:
        flood.accepted.append(time.perf_counter() - connection.asked)
    elif status in (429, 503) and b"\r\nretry-after:" not in connection.head.lower():
        flood.without_retry_after += 1
    connection.head = b""
    return True
