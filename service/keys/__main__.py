"""``valence keys``: make API keys."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from valence.service.keys.key_file import NAME, PREFIX, SECRET_BYTES, fingerprint


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a new key, and the line of the keys file that makes the key valid.

    The key is printed only here: the file holds its hash.
    """
    parser = argparse.ArgumentParser(prog="valence keys", description="API keys")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="print a new key and its line of the keys file")
    new.add_argument("name", help="the name of the key: letters, digits, '.', '_' and '-'")
    new.add_argument(
        "--texts-per-second", type=float, help="the rate of this key, instead of the general one"
    )
    options = parser.parse_args(arguments)
    if not NAME.fullmatch(options.name):
        parser.error(
            f"{options.name!r} is not a valid name: use 1 to 64 letters, digits, '.', '_' and '-'"
        )
    if options.texts_per_second is not None and not options.texts_per_second > 0:
        parser.error("--texts-per-second must be more than 0")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    line = f"{options.name}: sha256:{fingerprint(secret.encode()).hex()}"
    if options.texts_per_second is not None:
        line += f" texts_per_second={options.texts_per_second:.12g}"
    sys.stdout.write(
        f"the key, which is shown only once:\n\n    {secret}\n\n"
        f"its line for the file that VALENCE_API_KEYS_FILE names:\n\n    {line}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
