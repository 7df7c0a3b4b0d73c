"""Lines of a file, one at a time; a line that is too long is skipped, never held.

A compressed file of one megabyte may hold a line of a gigabyte.
"""

from __future__ import annotations

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
_ENDS = (b"\n", "\n")


class RowTooLong(Exception):
    """The row that a parser reads has more than :data:`MAX_ROW` characters."""


def read_lines(stream: IO[AnyStr]) -> Iterator[AnyStr | None]:
    """Each line of ``stream`` with its end; None for a line of more than :data:`MAX_ROW`."""
    while line := stream.readline(MAX_ROW + 1):
        if len(line) <= MAX_ROW:
            yield line
        else:
            ended = line[-1:] in _ENDS
            del line
            if not ended:
                _skip_line(stream)
            yield None


def read_lines_within(file: IO[bytes], start: int, end: int) -> Iterator[bytes | None]:
    """As :func:`read_lines`: the lines whose first byte is in the range from start to end."""
    if start:
        file.seek(start - 1)
        _skip_line(file)  # the rest of a line that begins before ``start``
    lines = read_lines(file)
    while file.tell() < end:
        try:
            yield next(lines)
        except StopIteration:
            return


def _skip_line(stream: IO[AnyStr]) -> None:
    """Read to the end of a line."""
    while piece := stream.readline(_SKIPPED_AT_ONCE):
        if len(piece) < _SKIPPED_AT_ONCE or piece[-1:] in _ENDS:
            return


class RowLines(Iterator[str]):
    """The lines of one row after another, for a parser that asks for as many as a row needs.

    ``number`` is the number of lines so far. Raises :class:`RowTooLong` in the middle of a row that
    is too large; the next line begins another row then.
    """

    def __init__(self, lines: Iterator[str | None]) -> None:
        self.number = 0
        self.size = 0
        """Characters of the row so far."""
        self._lines = lines

    def start_row(self) -> None:
        """Begin the count of the characters of another row."""
        self.size = 0

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        if line is None:
            raise RowTooLong
        self.size += len(line)
        if self.size > MAX_ROW:
            raise RowTooLong
        return line
