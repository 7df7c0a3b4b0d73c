"""Split a stream of bytes into lines, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line of a stream; ``content`` is None for a line over the limit."""

    number: int
    content: bytes | None


class LineSplitter:
    """Splits the bytes it is fed at line feeds.

    Lines are numbered from 1. Blank lines count, but are left out. Of a line longer than
    ``max_bytes`` only the number is kept.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun: list[bytes] = []
        self._size = 0
        self._number = 1

    @property
    def next_number(self) -> int:
        """The number of the first line that is not complete yet."""
        return self._number

    @property
    def held_bytes(self) -> int:
        """The bytes of the line that is not complete yet."""
        return self._size if self._begun else 0

    def feed(self, data: bytes) -> list[Line]:
        """The lines that ``data`` completes."""
        first, *others = data.split(b"\n")
        self._keep(first)
        if not others:
            return []
        *whole, last = others
        lines = [self._end()]
        lines += [self._line(content) for content in whole]
        self._keep(last)
        return [line for line in lines if line is not None]

    def finish(self) -> list[Line]:
        """The last line, if it does not end with a line feed."""
        last = self._end()
        return [] if last is None else [last]

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            self._begun.clear()
        elif part:
            self._begun.append(part)

    def _end(self) -> Line | None:
        if self._size > self._max_bytes:
            line: Line | None = Line(self._number, None)
            self._number += 1
        else:
            line = self._line(b"".join(self._begun))
        self._begun.clear()
        self._size = 0
        return line

    def _line(self, content: bytes) -> Line | None:
        number = self._number
        self._number += 1
        if len(content) > self._max_bytes:
            return Line(number, None)
        return Line(number, content) if content and not content.isspace() else None
