"""Where a service is, and what every request to it says; httpx where it is installed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from valence.service.client.exchange import Failure, Request
from valence.service.errors import ConfigurationError
from valence.service.version import VERSION

DEFAULT_URL = "http://127.0.0.1:3000"
SECONDS = 30.0
"""How long a call lasts, with all that is repeated, unless the caller says otherwise."""
LATE = Failure("the answer did not arrive in time")
_MAX_MILLISECONDS = 999_999_999


@dataclass(frozen=True)
class Address:
    """The address of a service, and the headers of each request."""

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        # what stands before the @ is a password
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def fill(self, request: Request) -> dict[str, Any]:
        """The arguments of httpx for a request.

        The service learns how long its answer is waited for, and gives up then.
        """
        milliseconds = min(max(int(request.seconds * 1000), 1), _MAX_MILLISECONDS)
        return {
            "method": request.method,
            "url": f"{self.url}{request.path}",
            "content": request.content,
            "headers": {**self.headers, "x-request-timeout-ms": str(milliseconds)},
            "timeout": request.seconds,
            "follow_redirects": False,
        }


def make_address(url: str, key: str | None) -> Address:
    """The address ``url``, with an API key; raises :class:`ConfigurationError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{url.rpartition('@')[2]!r} is not the address of a service; give one such as "
            f"{DEFAULT_URL}"
        )
    headers = {"content-type": "application/json", "user-agent": f"valence/{VERSION}"}
    if key is not None:
        # the message does not repeat what may be a key
        if not key.isascii() or not key.isprintable() or key.split() != [key]:
            raise ConfigurationError(
                "the API key is empty or has characters that no key has; give the key that "
                "`valence keys new` printed"
            )
        headers["authorization"] = f"Bearer {key}"
    return Address(url.rstrip("/"), headers)


def require_seconds(timeout: float) -> float:
    """A time that a call can have; raises :class:`ConfigurationError`."""
    if not 0 < timeout < math.inf:
        raise ConfigurationError(f"timeout={timeout!r}: give a number of seconds above 0")
    return timeout


def import_httpx() -> ModuleType:
    """httpx; raises :class:`ConfigurationError` if it is not installed."""
    try:
        import httpx
    except ModuleNotFoundError:
        raise ConfigurationError(
            "valence.Client needs httpx, which is not installed: pip install 'valence[client]'"
        ) from None
    return httpx


def describe_failure(error: Exception) -> Failure:
    """Why httpx has no reply; its messages name addresses and never texts or keys."""
    told = str(error)
    return Failure(f"{type(error).__name__}: {told}" if told else type(error).__name__)
