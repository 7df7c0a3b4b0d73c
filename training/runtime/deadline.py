"""An end of the time for a training: its reporter raises there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from valence.training.runtime.progress import Advance, Reporter


class OutOfTime(Exception):
    """The time is up; a training that is started again continues from its last epoch."""


class DeadlineReporter(Reporter):
    """A reporter whose bar raises :class:`OutOfTime` at ``end``; it is silent in logs."""

    def __init__(self, reporter: Reporter, end: float) -> None:
        super().__init__(reporter.console, quiet_in_logs=True)
        self._end = end

    @contextmanager
    def bar(self, title: str, *, total: int, done: int = 0, note: str = "") -> Iterator[Advance]:
        """A progress bar that raises :class:`OutOfTime` at the end, of the monotonic clock."""
        with super().bar(title, total=total, done=done, note=note) as advance:

            def advance_in_time(*, tokens_per_second: float) -> None:
                advance(tokens_per_second=tokens_per_second)
                if time.monotonic() >= self._end:
                    raise OutOfTime

            yield advance_in_time
