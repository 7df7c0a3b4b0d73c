"""Rows of JSON: one object a line, one array of objects, or objects over several lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files import lines
from valence.service.files.fault import FORM, SOUND, Fault
from valence.service.files.lines import TOO_LONG
from valence.service.files.table import Row, Table
from valence.service.files.text import Text

_LINE = re.compile(r"[^\r\n]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_REMEDY = "a line must be one object, or the file one array of objects"


def read_json(table: Table, text: Text) -> Iterator[Row]:
    """The rows of ``text``.

    Raises :class:`ConfigurationError` for an object without a column of ``table``, and for an array
    that is damaged.
    """
    if has_object_lines(text):
        yield from _read_object_lines(table, text)
    else:
        yield from _JsonValues(table, text).read()


def has_object_lines(text: Text) -> bool:
    """Whether ``text`` has one value a line."""
    start = text.start.lstrip(" \t\r\n")
    first = _LINE.match(start)[0]  # type: ignore[index]
    below = start[len(first) :].lstrip()
    try:
        # one line with an array is an array of objects
        return not isinstance(json.loads(first), list) or below.startswith(("[", "{"))
    except (ValueError, RecursionError):
        if start.startswith("["):
            return False
    try:
        _, end = _DECODER.raw_decode(start)
    except (ValueError, RecursionError):
        return True
    return end <= len(first)


def _read_object_lines(table: Table, text: Text) -> Iterator[Row]:
    for number, line in enumerate(text.read_lines(text.find_line_end()), 1):
        place = f"line {number}{text.origin}"
        if line is None:
            yield Row({}, place, TOO_LONG)
            continue
        if not line.strip():
            continue
        damage = text.find_damage(line) if text.damaged else SOUND
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            yield Row({}, place, damage or Fault(f"not JSON ({reason}); {_REMEDY}", FORM))
            continue
        if damage or not isinstance(values, dict) or not table.columns:
            yield _make_row(table, text, values, Row({}, place, damage, len(line)))
        elif table.wanted is None:
            yield Row(values, place, SOUND, len(line))
        else:
            # a field that a later object lacks is missing, as null is
            yield Row({name: values.get(name) for name in table.wanted}, place, SOUND, len(line))


def _make_row(table: Table, text: Text, values: Any, row: Row) -> Row:
    """``row`` with ``values``, or with a fault if they are no object or are damaged."""
    if not isinstance(values, dict):
        told = f"a {type(values).__name__}, not an object; {_REMEDY}"
        return row._replace(fault=Fault(told, FORM))
    if row.fault:
        sound = {
            name: value
            for name, value in values.items()
            if not text.find_damage(json.dumps([name, value], ensure_ascii=False))
        }
        return row._replace(values=sound)
    if values and not table.columns:
        table.choose_columns(list(values), row.place)
    names = values if table.wanted is None else table.wanted
    return row._replace(values={name: values.get(name) for name in names})


class _JsonValues:
    """The values of one array, or values that follow each other, with few of them in memory."""

    def __init__(self, table: Table, text: Text) -> None:
        self._table = table
        self._text = text
        self._pieces = text.read_pieces()
        self._buffer = ""
        self._position = 0
        self._line = 1
        self._ended = False

    def read(self) -> Iterator[Row]:
        """Each value as a row. Raises :class:`ConfigurationError` where the array is damaged."""
        is_array = self._peek() == "["
        if is_array:
            self._position += 1
        while (char := self._peek()) != ("]" if is_array else ""):
            if not char:
                raise self._refuse("the array does not end; the file is cut short")
            place = f"line {self._line}"
            values, segment = self._take_value()
            row = Row({}, place, self._text.find_damage(segment), len(segment))
            yield _make_row(self._table, self._text, values, row)
            if is_array and self._peek() == ",":
                self._position += 1
                if self._peek() == "]":
                    raise self._refuse("not JSON (a comma before the end of the array)")
            elif is_array and self._peek() not in ("]", ""):
                raise self._refuse("not JSON (no comma between two values)")
        if is_array:
            self._position += 1
            if self._peek():
                raise self._refuse("the file goes on after its array")

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            end = _SPACE.match(self._buffer, self._position).end()  # type: ignore[union-attr]
            self._advance(end)
            if end < len(self._buffer):
                return self._buffer[end]
            if not self._fill():
                return ""

    def _take_value(self) -> tuple[Any, str]:
        """The next value and its characters."""
        while True:
            start = self._position
            try:
                value, end = _DECODER.raw_decode(self._buffer, start)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError):
                    raise self._refuse("not JSON (not readable)") from None
                if len(self._buffer) - start > lines.MAX_ROW:
                    raise self._refuse(TOO_LONG) from None
                if not self._fill_more():
                    reason = error.msg if isinstance(error, json.JSONDecodeError) else "invalid"
                    raise self._refuse(f"not JSON ({reason})") from None
                continue
            # a number may go on in the next piece
            if end < len(self._buffer) or not self._fill():
                segment = self._buffer[start:end]
                self._advance(end)
                return value, segment

    def _advance(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._position, end)
        self._position = end

    def _fill(self) -> bool:
        """Read another piece; False at the end."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._buffer = self._buffer[self._position :] + piece
        self._position = 0
        return True

    def _fill_more(self) -> bool:
        """Read as much as there is of the value, so that few values are tried many times."""
        wanted = 2 * (len(self._buffer) - self._position)
        filled = False
        pieces = [self._buffer[self._position :]]
        size = 0
        while size < max(1, wanted // 2) and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            size += len(piece)
            filled = True
        self._buffer = "".join(pieces)
        self._position = 0
        return filled

    def _refuse(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._table.path}, line {self._line}: {reason}; the file must be one array of "
            "objects, or one object a line"
        )
