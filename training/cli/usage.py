"""Wrong arguments of a command, told in one line."""

from __future__ import annotations

from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from valence.service.command.parser import refuse_usage

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""The error of wrong arguments, which typer exports by a subclass only."""


def explain_usage(error: Any) -> NoReturn:
    """End the process with a line about a :data:`UsageError`; without arguments, the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        raise SystemExit(error.exit_code)
    near = tuple(getattr(error, "possibilities", None) or ())
    message = error.message if near else error.format_message()
    if isinstance(error.__cause__, ValidationError):
        value = repr(error.__cause__.errors()[0]["input"])
        message += "" if value in message else f", not {value}"
    refuse_usage(message, error.ctx.command_path if error.ctx else "valence", near=near)
