"""The file of API keys: their names, hashes, scopes and rates.

A line of the file is ``NAME: sha256:HEX``, and after it ``scopes=LIST``, ``texts_per_second=N`` and
``tokens_per_second=N`` for a key with its own scopes and rates. ``#`` begins a comment. Several
lines may have the same name, so that the old key works until all clients have the new one. A key is
256 random bits, so a fast hash is safe; a slow hash would take time from every request.
``valence keys new NAME`` makes a key and its line.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ConfigurationError
from valence.service.keys.key import Key, fingerprint, parse_line

# About ten thousand keys. Each of them takes time from every request, and reading them holds the
# event loop.
MAX_BYTES = 1024 * 1024
_REMEDY = "make one with `valence keys new NAME`"


class Fault(NamedTuple):
    """Why a line holds no key; ``reason`` never has the content of the line."""

    line: int
    reason: str


class Reading(NamedTuple):
    """What a file holds: its keys, and its lines that are not valid."""

    keys: tuple[Key, ...] = ()
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    """Why there is no key at all."""


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


def read(path: Path) -> Reading:
    """Read the file at ``path``; an invalid line costs the other lines nothing.

    A missing file, and one that cannot be a file of keys, has no keys. Raises ``OSError`` if a file
    is there and cannot be read now.
    """
    try:
        content = _read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return Reading(reason="there is no such file")
    if content is None:
        return Reading(reason=f"not a regular file of at most {MAX_BYTES} bytes")
    keys: dict[bytes, tuple[int, Key]] = {}
    faults = []
    # Only the comments may have other characters than ASCII, so an undecodable byte elsewhere is a
    # fault of its line.
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            key = parse_line(text)
        except ConfigurationError as error:
            faults.append(Fault(number, str(error)))
            continue
        first, known = keys.setdefault(key.digest, (number, key))
        if known != key:
            faults.append(Fault(number, f"the key of line {first} again, with other fields"))
    found = tuple(key for _, key in keys.values())
    return Reading(found, tuple(faults), "" if found else "no line is valid")


def require_keys(path: Path) -> Reading:
    """As :func:`read`, for a start: raises :class:`ConfigurationError` if there is no key."""
    try:
        reading = read(path)
    except OSError as error:
        raise ConfigurationError(
            f"the API keys in {path} cannot be read: {error.strerror}; {_REMEDY}"
        ) from None
    if reading.faults and not reading.keys:
        number, reason = reading.faults[0]
        raise ConfigurationError(f"{path}, line {number}: {reason}; {_REMEDY}")
    if not reading.keys:
        raise ConfigurationError(f"no API keys in {path}: {reading.reason}; {_REMEDY}")
    return reading


def _read_bytes(path: Path) -> bytes | None:
    """The content of a regular file, or None for anything that cannot be a file of keys."""
    # without this flag, opening a pipe would block the event loop
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    return content if len(content) <= MAX_BYTES else None


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
