"""A stream of bytes as lines, without holding more than one line that is too long to be read."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line of a stream; ``content`` is None where it was longer than is read."""

    number: int
    content: bytes | None


class LineSplitter:
    """Cuts what it is fed at line feeds.

    Lines are counted from 1, the blank ones too, which are left out. Of a line longer than
    ``max_bytes`` nothing is kept but its number.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun: list[bytes] = []
        self._size = 0
        self._number = 1

    @property
    def next_number(self) -> int:
        """The number of the first line whose end was not yet seen."""
        return self._number

    def feed(self, data: bytes) -> list[Line]:
        """The lines that end in ``data``."""
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
        """The last line, where no line feed ends it."""
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
