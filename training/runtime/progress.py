"""Progress reports: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

# Columns of output that is not a terminal.
_LOG_WIDTH = 120
# Seconds between two lines about the batches of an epoch, in output that is not a terminal.
_LOG_SECONDS = 60.0
# The colour of a line that begins with this word.
_STYLES = {"warning": "yellow", "next": "bold green"}
# Values of the environment variable CI that mean no CI.
_NO_CI = ("", "0", "false")


def time_left(seconds: float, done: int, total: int) -> timedelta:
    """The time for the rest of ``total`` steps, if they take as long as the ``done`` steps."""
    return timedelta(seconds=math.ceil(seconds / done * (total - done)))


class Advance(Protocol):
    """Called after each batch."""

    def __call__(self, *, tokens_per_second: float) -> None:
        """Report that one batch is done; the speed is the average of the epoch so far."""
        ...


class Reporter:
    """Prints to ``console``; draws the bar in terminals only, so that logs stay readable.

    With the environment variable ``CI``, output counts as a log even in a terminal. ``quiet``
    prints nothing. ``quiet_in_logs`` prints messages in terminals only, because cron mails every
    line.
    """

    def __init__(
        self, console: Console | None = None, *, quiet: bool = False, quiet_in_logs: bool = False
    ) -> None:
        # None: Rich looks at the stream.
        terminal = None if os.environ.get("CI", "").lower() in _NO_CI else False
        self.console = console or Console(
            stderr=True, highlight=False, quiet=quiet, force_terminal=terminal
        )
        self._quiet = quiet_in_logs and not self.console.is_terminal
        if not self.console.is_terminal:
            self.console.width = _LOG_WIDTH

    def say(self, message: str) -> None:
        """Print one line."""
        if not self._quiet:
            style = _STYLES.get(message.partition(":")[0], "")
            self.console.print(message, markup=False, soft_wrap=True, style=style)

    @contextmanager
    def bar(self, title: str, *, total: int, done: int = 0, note: str = "") -> Iterator[Advance]:
        """Show a bar of ``total`` batches, ``done`` of them already, until the block ends.

        The bar shows the speed, the time until all batches are done, and ``note``. A log gets the
        same as a line, every ``_LOG_SECONDS``.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(title, total=total, completed=done, speed="", note=note)
            started = said = time.monotonic()
            batches = done

            def advance(*, tokens_per_second: float) -> None:
                nonlocal batches, said
                batches += 1
                speed = f"{tokens_per_second:,.0f} tokens/s"
                progress.update(task, advance=1, speed=speed)
                now = time.monotonic()
                if not self.console.is_terminal and now - said >= _LOG_SECONDS:
                    said = now
                    left = time_left(now - started, batches - done, total - done)
                    parts = (f"{title}: {batches}/{total}", speed, f"{left} left", note)
                    self.say(", ".join(part for part in parts if part))

            yield advance
