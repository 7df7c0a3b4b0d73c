"""Connections that are told why they are refused, without being served.

To take one into the event loop costs a third of an answer; to write into its socket a tenth of
that, so that a flood takes less from those who are served.
"""

from __future__ import annotations

import socket
from collections import deque

# what a client still sends is thrown away in pieces of so many bytes, and so many of these a look
_PIECE_BYTES = 65_536
_PIECES = 16


class TurnedAway:
    """Sockets that were answered, and are closed once their clients have read that.

    To close one while something that the client sent is unread would reset the connection, and
    what it was told would be lost on the way.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._lingering: deque[tuple[socket.socket, float]] = deque()

    def __len__(self) -> int:
        return len(self._lingering)

    @property
    def room(self) -> int:
        """How many more can be told now."""
        return self._most - len(self._lingering)

    def tell(self, connection: socket.socket, answer: bytes, now: float) -> None:
        """Write ``answer``, the last that comes, at the time ``now``."""
        connection.setblocking(False)
        try:
            connection.send(answer)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # gone again
            connection.close()
        else:
            self._lingering.append((connection, now))

    def look(self, now: float) -> None:
        """Close those whose clients have, and those who take too long."""
        for _ in range(len(self._lingering)):
            connection, since = self._lingering.popleft()
            if now - since > self._seconds or _has_ended(connection):
                connection.close()
            else:
                self._lingering.append((connection, since))

    def close(self) -> None:
        """Close all."""
        while self._lingering:
            self._lingering.popleft()[0].close()


def _has_ended(connection: socket.socket) -> bool:
    try:
        return any(not connection.recv(_PIECE_BYTES) for _ in range(_PIECES))
    except BlockingIOError:
        return False
    except OSError:
        return True
