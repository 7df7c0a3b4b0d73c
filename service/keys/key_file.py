"""The file of API keys: their names and hashes.

A line of the file is ``NAME: sha256:HEX``, and ``texts_per_second=N`` after it for a key with its
own rate. ``#`` begins a comment. Several lines may have the same name, so that the old key works
until all clients have the new one. A key is 256 random bits, so a fast hash is safe; a slow hash
would take time from every request. ``valence keys new NAME`` makes a key and its line.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ConfigurationError

# With these characters a name needs no quoting in a log, a metric and this file.
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(
    rf"(?P<name>{NAME.pattern}):\s*sha256:(?P<digest>[0-9a-f]{{64}})"
    r"(\s+texts_per_second=(?P<rate>[0-9]+(\.[0-9]+)?))?"
)
# With this prefix people, and scanners for leaked secrets, recognise a key.
PREFIX = "valence_"
SECRET_BYTES = 32


class Key(NamedTuple):
    """One line of the file, which holds the hash of the key and not the key."""

    name: str
    digest: bytes
    texts_per_second: float | None


def fingerprint(secret: bytes) -> bytes:
    """The hash of a key: SHA-256, 32 bytes."""
    return hashlib.sha256(secret).digest()


def find(keys: Iterable[Key], secret: bytes) -> Key | None:
    """The key whose hash matches ``secret``, or None.

    The call takes equally long for all secrets, so its time tells nothing about the keys.
    """
    digest = fingerprint(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def read(path: Path) -> tuple[Key, ...]:
    """Read the keys of a file.

    Raises :class:`ConfigurationError` if the file cannot be read, is invalid or has no key.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the API keys in {path} cannot be read: {error}; make one with `valence keys new NAME`"
        ) from None
    keys = []
    for number, line in enumerate(lines, start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            # without the line itself, which may contain a key by mistake
            raise ConfigurationError(
                f"{path}, line {number} is not `NAME: sha256:HEX [texts_per_second=N]`; "
                "make one with `valence keys new NAME`"
            )
        rate = match["rate"]
        keys.append(
            Key(match["name"], bytes.fromhex(match["digest"]), float(rate) if rate else None)
        )
    if not keys:
        raise ConfigurationError(
            f"{path} contains no API key; make one with `valence keys new NAME`"
        )
    return tuple(keys)


def require_unless_loopback(host: str) -> None:
    """Raise :class:`ConfigurationError` if other machines can reach ``host``."""
    try:
        reachable = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        reachable = host != "localhost"
    if reachable:
        raise ConfigurationError(
            f"other machines can reach {host}, and no API keys are set: name a file of keys in "
            "VALENCE_API_KEYS_FILE (`valence keys new NAME` makes a key), or set "
            "VALENCE_ALLOW_ANONYMOUS=true to serve requests without a key"
        )
