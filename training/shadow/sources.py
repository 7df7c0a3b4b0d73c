"""The metrics of every replica of a service: from URLs, and from files that hold an answer."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from valence.service.errors import ConfigurationError

_SECONDS = 10.0
_MAX_BYTES = 16 * 1024 * 1024
_MAX_REPLICAS = 1_000
_AT_ONCE = 16
_PORTS = {"http": 80, "https": 443}


class _Replica(NamedTuple):
    """One address of the host of a URL."""

    url: SplitResult
    address: str


def read_metrics(sources: Sequence[str], *, key: str = "") -> list[str]:
    """The metrics of each replica in text format.

    A source is a URL or the path of a file. Of a URL each address that its host name has is asked,
    so the name of a headless Service in Kubernetes means all pods. ``key`` is an API key with the
    scope ``metrics``. Raises :class:`ConfigurationError` if a source cannot be read: figures
    without it would be those of some replicas only.
    """
    files = [source for source in sources if "://" not in source]
    replicas = [
        replica for source in sources if "://" in source for replica in _find_replicas(source)
    ]
    if len(replicas) > _MAX_REPLICAS:
        raise ConfigurationError(
            f"the URLs have {len(replicas)} addresses, at most {_MAX_REPLICAS} are asked; name "
            "fewer, or scrape them with Prometheus"
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda replica: _ask(replica, key), dict.fromkeys(replicas)))
    return [_read_file(Path(file)) for file in files] + answers


def _find_replicas(source: str) -> list[_Replica]:
    url = urlsplit(source)
    if url.scheme not in _PORTS or not url.hostname:
        raise ConfigurationError(
            f"{source!r} is no address of metrics; give http://HOST:PORT/metrics, https or a file"
        )
    try:
        port = url.port or _PORTS[url.scheme]
        found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    except ValueError as error:
        raise ConfigurationError(f"{source!r}: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{source}: the host has no address: {error.strerror}") from None
    addresses = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    # a name of this machine has an address of each family, and one server behind both
    if url.hostname == "localhost":
        addresses = dict.fromkeys(list(addresses)[:1])
    return [_Replica(url, address) for address in addresses]


class _TlsConnection(http.client.HTTPSConnection):
    """Connects to one address of a host, and verifies the name of the host."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=_SECONDS)
        self._address = address
        self._tls = ssl.create_default_context()

    def connect(self) -> None:
        """Open the connection."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _ask(replica: _Replica, key: str) -> str:
    url, address = replica
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    connection = (
        http.client.HTTPConnection(address, port, timeout=_SECONDS)
        if url.scheme == "http"
        else _TlsConnection(host, port, address)
    )
    headers = {"Host": url.netloc.rpartition("@")[2], "Accept": "text/plain"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    path = (url.path or "/metrics") + (f"?{url.query}" if url.query else "")
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise ConfigurationError(
            f"{url.geturl()} at {address} does not answer: {type(error).__name__}; is the server "
            "running?"
        ) from None
    finally:
        connection.close()
    if answer.status in (401, 403):
        raise ConfigurationError(
            f"{url.geturl()} at {address} wants an API key with the scope `metrics`; name a file "
            "with one by --key-file"
        )
    if answer.status != 200 or len(body) > _MAX_BYTES:
        raise ConfigurationError(
            f"{url.geturl()} at {address} answers with status {answer.status} and "
            f"{len(body)} bytes, not with metrics"
        )
    return body.decode("utf-8", "replace")


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {_MAX_BYTES} bytes: no metrics")
    return content.decode("utf-8", "replace")
