"""Lines of a file, one at a time; a line that is too long is skipped, never held.

A compressed file of one megabyte may hold a line of a gigabyte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import IO, AnyStr

MAX_ROW = 4_000_000
"""Bytes or characters of a line, and characters of all lines of one row."""

TOO_LONG = (
    f"more than {MAX_ROW:,} characters; shorten or split the text, or look for an open quotation "
    "mark"
)
"""The fault of a row that is larger than :data:`MAX_ROW`."""

_SKIPPED_AT_ONCE = 2**20


class RowTooLong(Exception):
    """The row that a parser reads has more than :data:`MAX_ROW` characters."""


def read_lines(stream: IO[AnyStr], end: str = "\n") -> Iterator[AnyStr | None]:
    """Each line of ``stream`` with its end; None for a line of more than :data:`MAX_ROW`.

    ``end`` is the end of lines of a stream of text; that of bytes is always a line feed.
    """
    ends = (b"\n", end)
    while line := stream.readline(MAX_ROW + 1):
        if len(line) <= MAX_ROW:
            yield line
        else:
            ended = line[-1:] in ends
            del line
            if not ended:
                _skip_line(stream, ends)
            yield None


def read_lines_within(file: IO[bytes], start: int, end: int) -> Iterator[bytes | None]:
    """As :func:`read_lines`: the lines whose first byte is in the range from start to end."""
    if start:
        file.seek(start - 1)
        _skip_line(file, (b"\n",))  # the rest of a line that begins before ``start``
    lines = read_lines(file)
    while file.tell() < end:
        try:
            yield next(lines)
        except StopIteration:
            return


def _skip_line(stream: IO[AnyStr], ends: tuple[bytes | str, ...]) -> None:
    """Read to the end of a line."""
    while piece := stream.readline(_SKIPPED_AT_ONCE):
        if len(piece) < _SKIPPED_AT_ONCE or piece[-1:] in ends:
            return


class RowLines(Iterator[str]):
    """The lines of one row after another, for a parser that asks for as many as a row needs.

    ``number`` is the number of lines so far, ``row`` are the lines of the row so far and ``size``
    is the number of their characters. Raises :class:`RowTooLong` in the middle of a row that is too
    large; the next line begins another row then.
    """

    def __init__(self, lines: Iterator[str | None]) -> None:
        self.number = 0
        self.size = 0
        self.row: list[str] = []
        self._lines = lines
        self._again: deque[str | None] = deque()

    def start_row(self) -> None:
        """Begin another row."""
        self.size = 0
        self.row.clear()

    def return_lines(self) -> None:
        """Read the lines of the row again, except the first one."""
        again = self.row[1:]
        self.number -= len(again)
        self._again.extendleft(reversed(again))

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        if line is None and self.row:
            self._again.appendleft(None)  # a row of its own
            raise RowTooLong
        self.number += 1
        if line is None:
            raise RowTooLong
        self.size += len(line)
        self.row.append(line)
        if self.size > MAX_ROW:
            raise RowTooLong
        return line
