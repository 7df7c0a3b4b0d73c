"""An event loop that accepts several connections in a turn, and refuses some without a task.

libuv, and so uvloop, accepts one connection per turn of its loop. Under load a turn takes
milliseconds. Of a thousand clients that connect at once, the last would wait for a thousand turns,
while the clients that are connected already continue to be served.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import uvloop

# In each turn new connections get as much time as all else took in the turn before, within these
# numbers. A thousand clients that come at once are soon accepted, and a client that is connected
# already waits for a few of them, not for all.
_MIN_ACCEPTS_PER_TURN = 4
_MAX_ACCEPTS_PER_TURN = 512
# to accept a connection, to read its first request and to refuse it for want of a key
_CONNECTION_SECONDS = 0.0001
# When the backlog is full, the kernel drops SYNs silently, and clients retry with exponential
# back-off. So the backlog is as large as the system allows: the kernel lowers this number.
_BACKLOG = 65_535
# Of the connections that wait, a worker takes one of so many for each worker in a turn. So workers
# take turns: the one that is less busy turns more often, and takes more of them.
_TURNS_OF_WAITING = 4
# where linux/tcp.h has the connections that wait, for a socket that listens: tcpi_unacked
_WAITING = struct.Struct("=24xI")
# How much of an answer the kernel takes that the client has no room for yet. Without this bound the
# kernel takes up to 4 MiB for each client that does not read.
_UNSENT_BYTES = 65_536
# The time for a TLS handshake; uvloop would wait for a minute.
_HANDSHAKE_SECONDS = 10.0
# The pause before accepting again, when neither admissions nor refusals are left.
_PAUSE_SECONDS = 0.02


class Admission(Protocol):
    """Decides how many connections may be accepted or refused."""

    def capacity(self) -> int:
        """How many connections may be accepted now."""

    def reserve(self) -> None:
        """Reserve a place for a socket that is accepted but not yet a connection of the loop."""

    def release(self) -> None:
        """Give back the place of a reserved socket that closed before it became a connection."""

    def refusal_capacity(self) -> int:
        """How many sockets may be refused now."""

    def refuse(self, connection: socket.socket) -> None:
        """Send a refusal to a socket, and close it later."""


class BatchAcceptLoop(uvloop.Loop):
    """uvloop's loop, whose servers accept what ``admission`` allows, some in a turn."""

    admission: Admission | None = None
    on_listening: Callable[[socket.socket], Awaitable[None]] | None = None
    """Called once the server listens, with its socket."""
    ready: asyncio.Event | None = None
    """Servers listen when it is set: a worker that starts leaves connections to the others."""
    sharers = 1
    """How many workers accept from one socket, this one included."""

    def __init__(self) -> None:
        super().__init__()
        self.listening = asyncio.Event()
        """Set when the first server of this loop listens."""
        self.url = ""
        """Where this server answers."""

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *args: Any,
        sock: socket.socket | None = None,
        **options: Any,
    ) -> Any:
        """As uvloop's method; with ``sock``, returns a :class:`BatchAcceptServer`."""
        if sock is None:
            return await super().create_server(protocol_factory, *args, **options)
        if self.ready is not None:
            await self.ready.wait()
        sock.listen(max(options.get("backlog", 0), _BACKLOG))
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and sock.proto in (0, socket.IPPROTO_TCP):
            with contextlib.suppress(OSError):
                # accepted sockets inherit it
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        server = BatchAcceptServer(self, sock, protocol_factory, ssl=options.get("ssl"))
        if self.on_listening is not None:
            await self.on_listening(sock)
        self.url = self.url or _url(sock, secure=options.get("ssl") is not None)
        self.listening.set()
        return server


class BatchAcceptServer:
    """A server on one listening socket, with the methods of :class:`asyncio.Server` in use here."""

    def __init__(
        self,
        loop: BatchAcceptLoop,
        listening: socket.socket,
        protocol_factory: Callable[[], asyncio.Protocol],
        *,
        ssl: Any = None,
    ) -> None:
        listening.setblocking(False)
        self._loop = loop
        self._listening = listening
        self._protocol_factory = protocol_factory
        self._ssl = ssl
        self._connecting: set[asyncio.Task[Any]] = set()
        self._resume_timer: asyncio.TimerHandle | None = None
        self._serving = True
        # how many were accepted in the last turn, and when, if more may be waiting; else 0
        self._accepted = 0
        self._yielded = False
        self._accepted_at = 0.0
        loop.add_reader(listening, self._accept_waiting)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The listening socket, until the server is closed."""
        return (self._listening,) if self._serving else ()

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._serving

    def close(self) -> None:
        """Stop accepting; connections stay open, and the owner of the socket closes the socket.

        Of several workers the last one has what came to the socket of all: those connections are
        accepted, and end after an answer.
        """
        if not self._serving:
            return
        if self._loop.sharers > 1:
            self._accept_rest()
        self._serving = False
        if self._resume_timer is None:
            self._loop.remove_reader(self._listening)
        else:
            self._resume_timer.cancel()

    async def wait_closed(self) -> None:
        """Return when every accepted socket has become a connection or has been closed."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _accept_waiting(self) -> None:
        admission = self._loop.admission
        share = self._count_accepts(time.perf_counter())
        if self._loop.sharers > 1:
            share = min(share, self._share_of_waiting())
        capacity = share if admission is None else min(admission.capacity(), share)
        self._accepted = 0
        for _ in range(capacity):
            if (connection := self._accept()) is None:
                return
            self._connect_soon(connection)
        if admission is None or capacity == share:
            self._accepted, self._accepted_at = capacity, time.perf_counter()
            self._yielded = False
            return
        if self._loop.sharers > 1 and not self._yielded:
            # another worker may have room: what it has not taken after the pause is refused
            self._yielded = True
            self._pause()
            return
        self._yielded = False
        for _ in range(admission.refusal_capacity()):
            if (connection := self._accept()) is None:
                return
            if self._ssl is None:
                admission.refuse(connection)
            else:
                # Nothing can be sent before the TLS handshake, so the protocol refuses it.
                self._connect_soon(connection)
        self._pause()

    def _accept_rest(self) -> None:
        """Accept what waits, before the socket is closed."""
        admission = self._loop.admission
        room = _MAX_ACCEPTS_PER_TURN if admission is None else admission.capacity()
        for _ in range(min(room, _MAX_ACCEPTS_PER_TURN)):
            if (connection := self._accept()) is None:
                return
            self._connect_soon(connection)

    def _count_accepts(self, now: float) -> int:
        """How many of the waiting connections may be accepted in this turn."""
        if not self._accepted:
            return _MIN_ACCEPTS_PER_TURN
        others = now - self._accepted_at - self._accepted * _CONNECTION_SECONDS
        fair = int(others / _CONNECTION_SECONDS)
        return min(max(fair, _MIN_ACCEPTS_PER_TURN), _MAX_ACCEPTS_PER_TURN)

    def _share_of_waiting(self) -> int:
        """How many of the waiting connections this worker takes in a turn, at least one."""
        waiting = 0
        with contextlib.suppress(AttributeError, OSError):
            info = self._listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING.size)
            (waiting,) = _WAITING.unpack(info)
        return max(math.ceil(waiting / (_TURNS_OF_WAITING * self._loop.sharers)), 1)

    def _pause(self) -> None:
        """Stop accepting for a moment: waiting connections would wake the loop in every turn."""
        self._loop.remove_reader(self._listening)
        self._resume_timer = self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._resume_timer = None
        self._loop.add_reader(self._listening, self._accept_waiting)

    def _accept(self) -> socket.socket | None:
        try:
            return self._listening.accept()[0]
        except BlockingIOError:
            return None
        except OSError:
            # no file descriptor is left, or the client has closed the connection
            self._pause()
            return None

    def _connect_soon(self, connection: socket.socket) -> None:
        if self._loop.admission is not None:
            self._loop.admission.reserve()
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            _, protocol = await self._loop.connect_accepted_socket(
                self._protocol_factory,
                connection,
                ssl=self._ssl,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._ssl else None,
            )
        except OSError:
            # the client has closed the connection
            connection.close()
            if self._loop.admission is not None:
                self._loop.admission.release()
            return
        if not self._serving:
            # the server has told only the connections that it knew to end
            shutdown = getattr(protocol, "shutdown", None)
            if shutdown is not None:
                shutdown()


def loop_factory(
    use_subprocess: bool = False,  # noqa: ARG001
) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the class of the loop; uvicorn calls this function."""
    return BatchAcceptLoop


def _url(listening: socket.socket, *, secure: bool) -> str:
    """The address of ``listening`` as a person would type it into a browser."""
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return str(listening.getsockname())
    host, port, *_ = listening.getsockname()
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = "localhost"
    elif ":" in host:
        host = f"[{host}]"
    return f"{'https' if secure else 'http'}://{host}:{port}"
