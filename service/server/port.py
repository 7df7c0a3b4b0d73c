"""A port that the service will listen on later."""

from __future__ import annotations

import socket


def require_free(host: str, port: int) -> None:
    """Raise :class:`OSError` if another process listens on ``port`` of ``host``."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)


def describe(setting: str, port: int, error: OSError) -> str:
    """The message that the service cannot listen on the port of a setting."""
    return f"{setting}={port}: {error.strerror or error}; set it to a port that is free, or to 0"
