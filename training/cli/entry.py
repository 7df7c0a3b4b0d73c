"""The entry of the command ``valence``: what is not installed is named with its extra."""

from __future__ import annotations

import sys
from collections.abc import Mapping

# the extra that installs what a command needs; `train` installs what every command needs
_EXTRAS: Mapping[str, str] = {
    "bento": "serve",
    "feedback": "feedback",
    "keys": "serve",
    "score": "score",
    "serve": "serve",
}


def main() -> None:
    """Run a command; a package that is missing is one line and exit code 1."""
    try:
        from valence.training.cli import main as command_line

        command_line.main()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "valence"):
            raise
        sys.exit(f"error: {describe_missing(missing, sys.argv[1:])}")


def describe_missing(package: str, arguments: list[str]) -> str:
    """The sentence about a ``package`` that the command in ``arguments`` needs, and the remedy."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    extra = _EXTRAS.get(command, "train")
    what = f"`valence {command}`" if command else "the command line"
    others = "" if command else " ('valence[serve]' serves, 'valence[score]' scores files)"
    return (
        f"{what} needs the package {package}, which is not installed: "
        f"pip install 'valence[{extra}]'{others}"
    )
