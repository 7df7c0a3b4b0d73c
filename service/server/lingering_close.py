"""Sockets that are refused without entering the event loop, and closed later.

Adding a connection to the event loop takes a third of the time of an answer. Writing to its socket
takes a tenth of that, so a flood leaves more time for the clients that are served.
"""

from __future__ import annotations

import socket
from collections import deque

# What a refused client still sends is read and discarded: at each sweep, at most _READS pieces of
# _READ_BYTES for each socket.
_READ_BYTES = 65_536
_READS = 16


class LingeringSockets:
    """Sockets that were sent a refusal, and are closed after their clients have read it.

    To close a socket that holds unread data from the client would reset the connection, and the
    client would lose the refusal.
    """

    def __init__(self, *, max_sockets: int, seconds: float) -> None:
        self._max_sockets = max_sockets
        self._seconds = seconds
        self._sockets: deque[tuple[socket.socket, float]] = deque()

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def capacity(self) -> int:
        """How many more sockets can be refused now."""
        return self._max_sockets - len(self._sockets)

    def reject_and_linger(self, connection: socket.socket, answer: bytes, now: float) -> None:
        """Write ``answer`` and end the writing side; ``now`` is the time of the event loop."""
        connection.setblocking(False)
        try:
            connection.send(answer)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # the client has closed the connection already
            connection.close()
        else:
            self._sockets.append((connection, now))

    def sweep(self, now: float) -> None:
        """Close each socket whose client has closed it, or that has been here too long."""
        for _ in range(len(self._sockets)):
            connection, since = self._sockets.popleft()
            if now - since > self._seconds or _is_closed_by_client(connection):
                connection.close()
            else:
                self._sockets.append((connection, since))

    def close(self) -> None:
        """Close all sockets."""
        while self._sockets:
            self._sockets.popleft()[0].close()


def _is_closed_by_client(connection: socket.socket) -> bool:
    try:
        return any(not connection.recv(_READ_BYTES) for _ in range(_READS))
    except BlockingIOError:
        return False
    except OSError:
        return True
