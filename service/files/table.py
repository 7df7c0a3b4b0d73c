"""A table that is being read: its file, its columns, and how much of it has been read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from valence.service.errors import ConfigurationError

_MAX_COLUMNS_SHOWN = 20
_MAX_CHARACTERS_SHOWN = 40


class Row(NamedTuple):
    """The values of a row by column, its place in the file, and its fault if it has one.

    ``size`` is the number of its characters in the file; of Parquet, those of its texts.
    """

    values: dict[str, Any]
    place: str
    fault: str = ""
    size: int = 0


class Table:
    """The table in the file ``path``, of which ``wanted`` columns are read, or all.

    Readers set ``file`` and ``size`` when they open it. ``size`` is in bytes; readers that count
    ``rows`` give it in rows. ``columns`` are those that are read; a file without a header, such as
    JSON Lines, does not have any.
    """

    def __init__(self, path: Path, wanted: Sequence[str] | None) -> None:
        self.path = path
        self.wanted = wanted
        self.file: IO[bytes] | None = None
        self.size = 0
        self.rows = 0
        self.columns: Sequence[str] = ()

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
        where = f"{self.path}, {place}" if place else str(self.path)
        if not names:
            raise ConfigurationError(f"{where}: the file does not have columns")
        for wanted in names if self.wanted is None else self.wanted:
            if wanted not in names:
                near = difflib.get_close_matches(wanted, names, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                known = ", ".join(map(shorten, names[:_MAX_COLUMNS_SHOWN]))
                raise ConfigurationError(f"{where}: no column {wanted!r}; {hint}columns: {known}")
            if names.count(wanted) > 1:
                raise ConfigurationError(f"{where}: two columns are called {wanted!r}; rename one")
        self.columns = names if self.wanted is None else tuple(dict.fromkeys(self.wanted))
        return self.columns


def shorten(value: Any) -> str:
    """A value for an error message, cut: the name of a column is a text without a header."""
    text = repr(value)
    return text if len(text) <= _MAX_CHARACTERS_SHOWN else f"{text[:_MAX_CHARACTERS_SHOWN]}…"
