"""API keys: a file of their names and hashes, and the command that makes one.

A line of the file is ``NAME: sha256:HEX`` and, after it, ``texts_per_second=N`` for a key with a
rate of its own; ``#`` begins a comment. A name may stand on several lines, so that a key is
replaced without a moment in which neither works. A key is 256 random bits, which
nobody guesses from its hash however fast that is; a slow one would only cost every request.

::

    valence keys new NAME
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

# what a name may be, so that a log, a metric and this file need no quoting
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(
    rf"(?P<name>{NAME.pattern}):\s*sha256:(?P<digest>[0-9a-f]{{64}})"
    r"(\s+texts_per_second=(?P<rate>[0-9]+(\.[0-9]+)?))?"
)
# tells people and scanners of leaked secrets what it is
PREFIX = "valence_"
SECRET_BYTES = 32


class Key(NamedTuple):
    """One line of the file; the key itself is nowhere."""

    name: str
    digest: bytes
    texts_per_second: float | None


def fingerprint(secret: bytes) -> bytes:
    """What is kept of a key: SHA-256, 32 bytes."""
    return hashlib.sha256(secret).digest()


def find(keys: Iterable[Key], secret: bytes) -> Key | None:
    """Whose key it is; takes as long for any that is none of ``keys``, and for any that is."""
    digest = fingerprint(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def read(path: Path) -> tuple[Key, ...]:
    """The keys of a file; raises :class:`ConfigurationError` when it is not one or holds none."""
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
            # not the line itself: somebody may have put the key there
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
            f"{path} does not have an API key; make one with `valence keys new NAME`"
        )
    return tuple(keys)


def require_unless_loopback(host: str) -> None:
    """Raise :class:`ConfigurationError` unless only this machine can reach ``host``."""
    try:
        reachable = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        reachable = host != "localhost"
    if reachable:
        raise ConfigurationError(
            f"other machines can reach {host}, and API keys are not set up: put the path of a file "
            "with keys into VALENCE_API_KEYS_FILE (`valence keys new NAME` makes a key), or set "
            "VALENCE_ALLOW_ANONYMOUS=true to serve everybody"
        )
