"""``valence keys``: make API keys."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Any

from valence.service.command.parser import CommandParser
from valence.service.errors import ConfigurationError
from valence.service.files.failures import exit_in_one_line
from valence.service.keys.key import (
    DEFAULT_SCOPE,
    SCOPES,
    Key,
    fingerprint,
    format_line,
    parse_name,
    parse_rate,
    parse_scopes,
)

# With this prefix people, and scanners for leaked secrets, recognise a key.
_PREFIX = "valence_"
_SECRET_BYTES = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a new key, and the line of the keys file that makes the key valid.

    The key is printed only here: the file holds its hash.
    """
    parser = CommandParser(prog="valence keys", description="API keys")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="print a new key and its line of the keys file")
    new.add_argument(
        "name",
        type=_checked(parse_name),
        help="the name of the key: letters, digits, '.', '_' and '-'",
    )
    new.add_argument(
        "--scope",
        type=_checked(parse_scopes),
        action="append",
        help=f"what the key may do: {', '.join(SCOPES)} (everything); may be given several "
        f"times; without it: {DEFAULT_SCOPE}",
    )
    for unit in ("texts", "tokens"):
        new.add_argument(
            f"--{unit}-per-second",
            type=_checked(parse_rate),
            help=f"the rate of this key in {unit}, instead of the general one",
        )
    options = parser.parse_args(arguments)
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = Key(
        options.name,
        fingerprint(secret.encode()),
        frozenset().union(*(options.scope or [{DEFAULT_SCOPE}])),
        options.texts_per_second,
        options.tokens_per_second,
    )
    sys.stdout.write(
        f"the key, which is shown only once:\n\n    {secret}\n\n"
        f"its line for the file that VALENCE_API_KEYS_FILE names:\n\n    {format_line(key)}\n"
    )
    return 0


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """``parse`` as a type of :mod:`argparse`, whose errors repeat the value."""

    def parse_argument(text: str) -> Any:
        try:
            return parse(text)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is {error}") from None

    return parse_argument


if __name__ == "__main__":
    with exit_in_one_line():
        sys.exit(main())
