"""A request of a trial, ready to be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

JSON = "application/json"


class Case(NamedTuple):
    """A request, ready to be sent, and its name in a report."""

    name: str
    path: str
    media_type: str
    make_body: Callable[[], bytes]
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        """The bytes of the whole request, after which the connection ends."""
        body = self.make_body()
        fields = {
            "Host": "127.0.0.1",
            "Content-Type": self.media_type,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **dict(self.headers),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body
