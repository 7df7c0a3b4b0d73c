"""A parser that tells a wrong argument in a line: the value, the nearest option, the help."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

WRONG_OPTION = 2
"""The exit code for a wrong option or value."""


def refuse_usage(message: str, command: str, *, near: Sequence[str] = ()) -> NoReturn:
    """End the process with :data:`WRONG_OPTION`, and one line about wrong arguments of a command.

    ``near`` are options that the user may have meant.
    """
    told = " ".join(message.split()).rstrip(".")
    if told[1:2].islower():
        told = told[:1].lower() + told[1:]
    if near:
        told += f"; did you mean {' or '.join(near)}?"
    end = "" if told.endswith("?") else ";"
    sys.stderr.write(f"error: {told}{end} see `{command} --help`\n")
    sys.exit(WRONG_OPTION)


class CommandParser(argparse.ArgumentParser):
    """A parser that ends the process as :func:`refuse_usage` does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._options: list[str] = []
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an argument, as the parser of the standard library does."""
        self._options += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The arguments; no argument is left over."""
        found, others = super().parse_known_args(args, namespace)
        if others:
            name = others[0].partition("=")[0]
            near = [option for option in self._options if option.startswith(name)]
            near = near or difflib.get_close_matches(name, self._options, n=1)
            what = "no such option" if name.startswith("-") else "an argument too many"
            refuse_usage(f"{what}: {others[0]}", self.prog, near=near)
        return found, others

    def error(self, message: str) -> NoReturn:
        """End the process for wrong arguments."""
        refuse_usage(message.removeprefix("argument "), self.prog)
