"""Lines of a file, one at a time; a line that is too long is skipped, never held.

A compressed file of one megabyte may hold a line of a gigabyte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, AnyStr

from valence.service.files.fault import LENGTH, Fault

MAX_ROW = 4_000_000
"""Bytes or characters of a line, and characters of all lines of one row."""

TOO_LONG = Fault(
    f"more than {MAX_ROW:,} characters; shorten or split the text, or look for an open quotation "
    "mark",
    LENGTH,
)
"""The fault of a row that is larger than :data:`MAX_ROW`."""

_SKIPPED_AT_ONCE = 2**20


class RowTooLong(Exception):
    """The row that a parser reads has more than :data:`MAX_ROW` characters."""


def read_lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Each line of ``stream`` with its line feed; None for a line of over :data:`MAX_ROW` bytes."""
    while line := stream.readline(MAX_ROW + 1):
        if len(line) <= MAX_ROW:
            yield line
        else:
            is_whole = line.endswith(b"\n")
            del line
            if not is_whole:
                _skip_line(stream)
            yield None


def split_lines(pieces: Iterable[AnyStr], end: AnyStr) -> Iterator[AnyStr | None]:
    """Each line of a text in ``pieces`` with its ``end``; None for one of over :data:`MAX_ROW`.

    ``end`` is one character, so that no piece ends within it.
    """
    nothing: AnyStr = end[:0]
    line, is_long = nothing, False
    for piece in pieces:
        parts = piece.split(end)
        rest = parts.pop()
        for part in parts:
            line = line + part + end
            yield None if is_long or len(line) > MAX_ROW else line
            line, is_long = nothing, False
        line = line + rest
        if len(line) > MAX_ROW:
            line, is_long = nothing, True
    if line or is_long:
        yield None if is_long else line


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


def _skip_line(stream: IO[bytes]) -> None:
    """Read to the end of a line."""
    while piece := stream.readline(_SKIPPED_AT_ONCE):
        if piece.endswith(b"\n"):
            return


class RowLines(Iterator[str]):
    """The lines of one row after another, for a parser that asks for as many as a row needs.

    ``row`` are the lines of the row so far. Raises :class:`RowTooLong` in the middle of a row that
    is too large; the next line begins another row then.
    """

    def __init__(self, lines: Iterator[str | None]) -> None:
        self.row: list[str] = []
        self._lines = self._source = lines
        self._lines_above = 0
        self._continued = 0  # the characters below the first line of the row
        self._again: deque[str | None] = deque()

    @property
    def number(self) -> int:
        """The number of lines so far."""
        return self._lines_above + len(self.row)

    @property
    def size(self) -> int:
        """The characters of the row so far."""
        return len(self.row[0]) + self._continued if self.row else 0

    def start_row(self) -> int:
        """Begin another row; returns the number of its first line."""
        self._lines_above += len(self.row)
        self.row.clear()
        self._continued = 0
        return self._lines_above + 1

    def return_lines(self) -> None:
        """Read the lines of the row again, except the first one."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]
        self._continued = 0
        self._lines = self._reread()

    def __next__(self) -> str:
        line = next(self._lines)
        if line is None or self.row:
            return self._continue(line)
        self.row.append(line)
        return line

    def _continue(self, line: str | None) -> str:
        """Take a line that is too long, or is not the first one of its row."""
        if line is None and self.row:
            self._again.appendleft(None)  # a row of its own
            self._lines = self._reread()
            raise RowTooLong
        if self.row:
            self._continued += len(line or "")
        self.row.append(line or "")
        if line is None or self.size > MAX_ROW:
            raise RowTooLong
        return line

    def _reread(self) -> Iterator[str | None]:
        while self._again:
            yield self._again.popleft()
        self._lines = self._source
        yield from islice(self._source, 1)
