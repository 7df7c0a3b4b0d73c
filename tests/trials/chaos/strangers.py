"""Clients without a key that hold connections in every way, and come again when they are closed."""

from __future__ import annotations

import contextlib
import multiprocessing
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from threading import Event

_HOST = b"Host: 127.0.0.1\r\n"
_JSON = b"Content-Type: application/json\r\n"
_LENGTH = b"Content-Length: 1000000\r\n\r\n"
_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
_DOCUMENT = b"GET /openapi.json HTTP/1.1\r\n" + _HOST
_CHUNK = b"1\r\n \r\n"
# a turn of all strangers, each of which sends one piece in it
_TURN_SECONDS = 1.0
# a client whose connection is closed needs some time to notice it and to come again
_RETURN_SECONDS = 0.1


@dataclass(frozen=True)
class Kind:
    """A way to hold a connection: what is sent at once, and then once per turn."""

    name: str
    first: bytes
    piece: bytes = b""
    reads: bool = True
    half_closed: bool = False


BODIES = (
    Kind("401, length", b"POST /v1/classify HTTP/1.1\r\n" + _HOST + _JSON + _LENGTH, b" "),
    Kind("401, chunks", b"POST /v1/classify HTTP/1.1\r\n" + _HOST + _JSON + _CHUNKS, _CHUNK),
    Kind("404, length", b"POST /nothing HTTP/1.1\r\n" + _HOST + _LENGTH, b" "),
    Kind("405, chunks", b"PUT /v1/classify HTTP/1.1\r\n" + _HOST + _CHUNKS, _CHUNK),
    Kind("GET, length", b"GET /livez HTTP/1.1\r\n" + _HOST + _LENGTH, b" "),
    Kind("GET, chunks", b"GET / HTTP/1.1\r\n" + _HOST + _CHUNKS, _CHUNK),
)
OTHERS = (
    Kind("nothing", b""),
    Kind("headers", b"POST /v1/classify HTTP/1.1\r\n", b"a"),
    Kind("half-closed", BODIES[0].first, half_closed=True),
    # a prefix makes an answer of their own
    Kind("unread", (_DOCUMENT + b"X-Forwarded-Prefix: /any\r\n\r\n") * 64, reads=False),
)


@dataclass
class Crowd:
    """What happened to the strangers."""

    connections: int = 0
    """Connections that they made, one after another for each stranger."""
    held: dict[str, float] = field(default_factory=dict)
    """The longest time in seconds for which a connection of each kind was held."""


class _Stranger:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.socket: socket.socket | None = None
        self.since = 0.0
        # when the last piece was sent
        self.sent = 0.0


@dataclass(frozen=True)
class Plan:
    """How many strangers of which kinds there are.

    ``together``: those whose connections have ended all come again at the same moment.
    """

    clients: int
    kinds: tuple[Kind, ...]
    together: bool = False


def hold(port: int, plan: Plan, entered: Event, over: Event) -> Crowd:
    """Keep the strangers of ``plan`` at ``port`` until ``over`` is set.

    They run in a separate process, because threads would wait for each other.
    """
    crowd = Crowd()
    clients = plan.clients
    strangers = [_Stranger(plan.kinds[number % len(plan.kinds)]) for number in range(clients)]
    with selectors.DefaultSelector() as selector:
        for stranger in strangers:
            _enter(port, stranger, selector, crowd)
        entered.set()
        while not over.is_set():
            began = time.perf_counter()
            if plan.together:
                for stranger in strangers:
                    if stranger.socket is None:
                        _enter(port, stranger, selector, crowd)
            for begin in range(0, clients, 16):
                some = strangers[begin : begin + 16]
                turn = began + _TURN_SECONDS * begin / clients
                while (left := turn - time.perf_counter()) > 0:
                    for key, _ in selector.select(left):
                        _read(key.data, selector, crowd)
                for stranger in some:
                    if stranger.socket is not None:
                        _continue(stranger, selector, crowd)
                    elif not plan.together and began - stranger.since > _RETURN_SECONDS:
                        _enter(port, stranger, selector, crowd)
    for stranger in strangers:
        _note(stranger, crowd)
        if stranger.socket is not None:
            stranger.socket.close()
    return crowd


def _enter(port: int, stranger: _Stranger, selector: selectors.BaseSelector, crowd: Crowd) -> None:
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    except OSError:
        return
    connection.setblocking(False)
    stranger.socket, stranger.since = connection, time.perf_counter()
    stranger.sent = 0.0
    crowd.connections += 1
    with contextlib.suppress(OSError):
        connection.send(stranger.kind.first)
        if stranger.kind.half_closed:
            connection.shutdown(socket.SHUT_WR)
    if stranger.kind.reads:
        selector.register(connection, selectors.EVENT_READ, stranger)


def _continue(stranger: _Stranger, selector: selectors.BaseSelector, crowd: Crowd) -> None:
    if stranger.socket is None or (stranger.kind.reads and not stranger.kind.piece):
        return
    try:
        stranger.socket.send(stranger.kind.piece or b"G")
        stranger.sent = time.perf_counter()
    except BlockingIOError:
        return
    except OSError:
        # The piece before this one met a closed connection, or else this one would be sent.
        _leave(stranger, selector, crowd, at=stranger.sent)


def _read(stranger: _Stranger, selector: selectors.BaseSelector, crowd: Crowd) -> None:
    """Read what is there; the answer is not the end, only the closed connection is."""
    if stranger.socket is None:
        return
    try:
        while data := stranger.socket.recv(1 << 16):
            del data
    except BlockingIOError:
        return
    except OSError:
        _leave(stranger, selector, crowd)
        return
    if stranger.kind.piece:
        # The server has ended its side, and waits for this one: a stranger goes on sending.
        selector.unregister(stranger.socket)
    else:
        _leave(stranger, selector, crowd)


def _leave(
    stranger: _Stranger, selector: selectors.BaseSelector, crowd: Crowd, *, at: float = 0.0
) -> None:
    _note(stranger, crowd, at=at)
    if stranger.socket is not None:
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(stranger.socket)
        stranger.socket.close()
    stranger.socket, stranger.since = None, time.perf_counter()


def _note(stranger: _Stranger, crowd: Crowd, *, at: float = 0.0) -> None:
    if stranger.socket is not None:
        name, held = stranger.kind.name, (at or time.perf_counter()) - stranger.since
        crowd.held[name] = max(crowd.held.get(name, 0.0), held)


@contextlib.contextmanager
def crowd_at(port: int, plan: Plan) -> Iterator[Callable[[], Crowd]]:
    """Have strangers at ``port`` in the block; the function ends them and returns what happened."""
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(1) as pool:
        entered, over = manager.Event(), manager.Event()
        crowd: Future[Crowd] = pool.submit(hold, port, plan, entered, over)
        entered.wait(60)

        def end() -> Crowd:
            over.set()
            return crowd.result()

        try:
            yield end
        finally:
            over.set()
