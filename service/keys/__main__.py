"""``valence keys``: make API keys."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from valence.service.keys.key_file import NAME, PREFIX, SECRET_BYTES, fingerprint


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a key: print it, which happens once, and the line that makes it valid."""
    parser = argparse.ArgumentParser(prog="valence keys", description="API keys")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="print a new key and its line for the file of keys")
    new.add_argument("name", help="name of the owner of the key; letters, digits, '.', '_' and '-'")
    new.add_argument("--texts-per-second", type=float, help="rate limit of this key")
    asked = parser.parse_args(arguments)
    if not NAME.fullmatch(asked.name):
        parser.error(
            f"{asked.name!r} is not a valid name: use 1 to 64 letters, digits, '.', '_' and '-'"
        )
    if asked.texts_per_second is not None and not asked.texts_per_second > 0:
        parser.error("--texts-per-second must be more than 0")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    line = f"{asked.name}: sha256:{fingerprint(secret.encode()).hex()}"
    if asked.texts_per_second is not None:
        line += f" texts_per_second={asked.texts_per_second:.12g}"
    sys.stdout.write(
        f"The key, which is shown only once:\n\n    {secret}\n\n"
        f"The line for the file that VALENCE_API_KEYS_FILE names:\n\n    {line}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
