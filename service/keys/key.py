"""An API key: its name, hash, scopes and rates. The one check of all of them is here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from valence.service.errors import ConfigurationError
from valence.service.pacing.token_bucket import MAX_RATE, MIN_RATE

Scope = Literal["classify", "feedback", "label", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# The scope of a new key.
DEFAULT_SCOPE: Scope = "classify"
# What a key may do whose line names no scopes. Such lines are older than scopes, and these are the
# routes that needed a key then.
UNSCOPED: frozenset[Scope] = frozenset(("classify", "metrics"))

# With these characters a name needs no quoting in a log, a metric and the file.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_RATE = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Key(NamedTuple):
    """A key, of which only the hash is known; None stands for the general rate."""

    name: str
    digest: bytes
    scopes: frozenset[Scope] = UNSCOPED
    texts_per_second: float | None = None
    tokens_per_second: float | None = None

    def permits(self, scope: Scope) -> bool:
        """Whether the key may use the routes of ``scope``; ``admin`` may use all routes."""
        return scope in self.scopes or "admin" in self.scopes


def fingerprint(secret: bytes) -> bytes:
    """The hash of a key: SHA-256, 32 bytes."""
    return hashlib.sha256(secret).digest()


def parse_name(text: str) -> str:
    """``text`` if it may name a key; raises :class:`ConfigurationError`, as all parsers here.

    No message repeats what was given: a line of the file may have a key in the wrong place.
    """
    if not _NAME.fullmatch(text):
        raise ConfigurationError("not a valid name: use 1 to 64 letters, digits, '.', '_' and '-'")
    return text


def parse_digest(text: str) -> bytes:
    """The hash in ``sha256:HEX``."""
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise ConfigurationError("not `sha256:` and 64 digits from 0-9a-f")
    return bytes.fromhex(match[1])


def parse_scopes(text: str) -> frozenset[Scope]:
    """The scopes in a list with commas."""
    scopes = frozenset(scope for scope in SCOPES if scope in text.split(","))
    if scopes != frozenset(text.split(",")):
        raise ConfigurationError(f"not one or several of {', '.join(SCOPES)}, with commas between")
    return scopes


def parse_rate(text: str) -> float:
    """A rate per second that a limit can have."""
    rate = float(text) if _RATE.fullmatch(text) else 0.0
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ConfigurationError(f"not a number from {MIN_RATE:f} to {MAX_RATE:.0f}")
    return rate


# the fields after the hash
_FIELDS: Mapping[str, Callable[[str], Any]] = {
    "scopes": parse_scopes,
    "texts_per_second": parse_rate,
    "tokens_per_second": parse_rate,
}


def parse_line(line: str) -> Key:
    """The key of a line ``NAME: sha256:HEX``, with fields such as ``scopes=metrics`` after it."""
    name, _, rest = line.partition(":")
    digest, *fields = rest.split() or [""]
    values: dict[str, Any] = {
        "name": _parse("the name", parse_name, name),
        "digest": _parse("the hash", parse_digest, digest),
    }
    for field in fields:
        option, _, text = field.partition("=")
        if option not in _FIELDS:
            raise ConfigurationError(f"after the hash there may only be {'=, '.join(_FIELDS)}=")
        if option in values:
            raise ConfigurationError(f"{option} is given twice")
        values[option] = _parse(option, _FIELDS[option], text)
    return Key(**values)


def format_line(key: Key) -> str:
    """The line from which :func:`parse_line` reads ``key``."""
    scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
    line = f"{key.name}: sha256:{key.digest.hex()} scopes={scopes}"
    for option, rate in (
        ("texts_per_second", key.texts_per_second),
        ("tokens_per_second", key.tokens_per_second),
    ):
        if rate is not None:
            line += f" {option}={repr(rate).removesuffix('.0')}"
    return line


def _parse(part: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{part} is {error}") from None
