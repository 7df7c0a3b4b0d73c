"""A table that is being read: its file, its columns, and how much of it has been read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from valence.service.errors import ConfigurationError
from valence.service.files.fault import SOUND, Fault

_MAX_COLUMNS_SHOWN = 20
# The names of columns in a message. The first line of a file without a header is a text.
_NAME = re.compile(r"[^\W\d][\w.-]{0,39}")


class Row(NamedTuple):
    """The values of a row by column, its place in the file, and its fault if it has one.

    ``size`` is the number of its characters in the file; of Parquet, those of its texts.
    """

    values: dict[str, Any]
    place: str
    fault: Fault = SOUND
    size: int = 0


class Table:
    """The table in the file ``path``, of which ``wanted`` columns are read, or all.

    Readers set ``file`` and ``size`` when they open it, and ``columns``, the names of what they
    read. ``size`` is in bytes; readers that count ``rows`` give it in rows.
    """

    def __init__(self, path: Path, wanted: Sequence[str] | None) -> None:
        self.path = path
        self.wanted = wanted
        self.columns: tuple[str, ...] = ()
        self.file: IO[bytes] | None = None
        self.size = 0
        self.rows = 0
        self._hint = ""

    @property
    def read(self) -> int:
        """How much of ``size`` has been read, including buffered bytes."""
        if self.file is None or self.file.closed:
            return self.size
        return self.rows or self.file.tell()

    def close(self) -> None:
        """Close the file, also before its end."""
        if self.file is not None:
            self.file.close()

    def choose_columns(self, names: Sequence[str], place: str = "") -> Sequence[str]:
        """The columns to read, of which ``names`` must have each exactly once.

        Raises :class:`ConfigurationError`.
        """
        self._hint = describe_columns(names)
        return self._choose(names, place)

    def choose_columns_of_header(
        self, names: Sequence[str], place: str, rows: Iterable[Sequence[str]]
    ) -> Sequence[str]:
        """As :meth:`choose_columns`: the ``names`` in a line above ``rows``, if it is a header."""
        self._hint = (
            describe_columns(names)
            if _is_header(names, rows)
            else "the first line must be the names of the columns"
        )
        return self._choose(names, place)

    def require_column(self, name: str, *, option: str) -> None:
        """Raise :class:`ConfigurationError` if the table does not have the column ``name``.

        ``option`` is what names another one. A table of JSON without objects has no columns.
        """
        if self.columns and name not in self.columns:
            near = _find_near(name, self.columns)
            raise ConfigurationError(
                f"{self.path}: no column {name!r}; {near}set the column by {option}; {self._hint}"
            )

    def _choose(self, names: Sequence[str], place: str) -> Sequence[str]:
        where = f"{self.path}, {place}" if place else str(self.path)
        if not names:
            raise ConfigurationError(f"{where}: the file does not have columns")
        for wanted in names if self.wanted is None else self.wanted:
            if wanted not in names:
                near = _find_near(wanted, names)
                raise ConfigurationError(f"{where}: no column {wanted!r}; {near}{self._hint}")
            if names.count(wanted) > 1:
                raise ConfigurationError(f"{where}: {self._explain_repetition(wanted, names)}")
        self.columns = tuple(dict.fromkeys(names if self.wanted is None else self.wanted))
        return self.columns

    def _explain_repetition(self, repeated: str, names: Sequence[str]) -> str:
        numbers = " and ".join(
            str(number) for number, name in enumerate(names, 1) if name == repeated
        )
        if not repeated:
            # as in a line above the header, and in a table with empty columns
            return f"the columns {numbers} have no name; name or remove them; {self._hint}"
        shown = "" if self.wanted is None else f", {repeated!r}"
        return f"the columns {numbers} have the same name{shown}; rename one"


def show_name(name: str) -> str:
    """A column for a message, without its name if that may be a text."""
    return f"the column {name!r}" if _NAME.fullmatch(name) else "a column"


def describe_columns(names: Sequence[str]) -> str:
    """The names for a message, except those that may be texts: of several words, or long."""
    shown = [name for name in names if _NAME.fullmatch(name)][:_MAX_COLUMNS_SHOWN]
    others = len(names) - len(shown)
    more = f"{others} others" if others and shown else f"{others} columns" if others else ""
    return "columns: " + " and ".join(filter(None, (", ".join(map(repr, shown)), more)))


def _find_near(wanted: str, names: Sequence[str]) -> str:
    # a name that differs by case and spaces alone is no text
    near = [name for name in names if _simplify(name) == _simplify(wanted)]
    near += difflib.get_close_matches(wanted, filter(_NAME.fullmatch, names), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _simplify(name: str) -> str:
    return name.strip().casefold()


def _is_header(names: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether ``names`` differ from the values below them as names do.

    The label of a first row is also the label of others.
    """
    if len(set(names)) < max(2, len(names)) or not all(
        not name or _NAME.fullmatch(name) for name in names
    ):
        return False
    return not any(
        name and name == value for row in rows for name, value in zip(names, row, strict=False)
    )
