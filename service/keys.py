"""API keys: a file of their names and hashes, and the command that makes one.

A line of the file is ``NAME: sha256:HEX`` and, after it, ``texts_per_second=N`` for a key with a
rate of its own; ``#`` begins a comment. A name may stand on several lines, so that a key is
replaced without a moment in which neither works. A key is 256 random bits, which
nobody guesses from its hash however fast that is; a slow one would only cost every request.

::

    python -m valence.service.keys new NAME
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import ipaddress
import re
import secrets
import sys
from collections.abc import Iterable, Sequence
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
_PREFIX = "valence_"
_SECRET_BYTES = 32


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
            f"the API keys in {path} cannot be read: {error}; "
            "make one with `python -m valence.service.keys new NAME`"
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
                "make one with `python -m valence.service.keys new NAME`"
            )
        rate = match["rate"]
        keys.append(
            Key(match["name"], bytes.fromhex(match["digest"]), float(rate) if rate else None)
        )
    if not keys:
        raise ConfigurationError(
            f"{path} holds no API key; make one with `python -m valence.service.keys new NAME`"
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
            f"other machines can reach {host}, and no API keys are set: name a file of them in "
            "VALENCE_API_KEYS_FILE (`python -m valence.service.keys new NAME` makes one), or set "
            "VALENCE_ALLOW_ANONYMOUS=true to serve whoever asks"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a key: print it, which happens once, and the line that makes it valid."""
    parser = argparse.ArgumentParser(prog="python -m valence.service.keys", description="API keys")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="print a new key and its line of the keys file")
    new.add_argument("name", help="whose it is; letters, digits, '.', '_' and '-'")
    new.add_argument("--texts-per-second", type=float, help="a rate of its own")
    asked = parser.parse_args(arguments)
    if not NAME.fullmatch(asked.name):
        parser.error(f"{asked.name!r} is no name: 1 to 64 letters, digits, '.', '_' and '-'")
    if asked.texts_per_second is not None and not asked.texts_per_second > 0:
        parser.error("--texts-per-second must be more than 0")
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    line = f"{asked.name}: sha256:{fingerprint(secret.encode()).hex()}"
    if asked.texts_per_second is not None:
        line += f" texts_per_second={asked.texts_per_second:.12g}"
    sys.stdout.write(
        f"the key, shown this once:\n\n    {secret}\n\n"
        f"its line in the file that VALENCE_API_KEYS_FILE names:\n\n    {line}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
