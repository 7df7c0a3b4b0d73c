"""A port that the service will listen on later, and the reason why it cannot."""

from __future__ import annotations

import errno
import socket
from importlib.util import find_spec

from valence.service.errors import ConfigurationError

_REASONS = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port with {}",
    errno.EACCES: "this user may not use the port; choose one above 1023 with {}",
    errno.EADDRNOTAVAIL: "this machine does not have the address; choose another with --host",
}


def require_free(host: str, port: int, *, option: str) -> None:
    """Raise :class:`ConfigurationError` unless a server can listen on ``port`` of ``host``.

    ``option`` is what sets the port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            # two servers that start together can both bind
            listening.listen()
    except OSError as error:
        raise ConfigurationError(describe(host, port, error, option=option)) from None


def require_grpc() -> None:
    """Raise :class:`ConfigurationError` unless the packages of the extra ``grpc`` are there."""
    if not all(map(find_spec, ("grpc", "google"))):
        raise ConfigurationError(
            "VALENCE_GRPC_PORT needs packages that are not installed; install valence[grpc]"
        )


def describe(host: str, port: int, error: OSError, *, option: str) -> str:
    """The message that the service cannot listen on ``port`` of ``host``, and the remedy."""
    reason = _REASONS.get(
        error.errno or 0, f"{error.strerror or error}; choose another with --host"
    )
    return f"cannot listen on port {port} of {host}: {reason.format(option)}"
