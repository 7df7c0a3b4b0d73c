"""Rows of tables of every format, read one at a time, with bounded memory.

A fault of one row is part of the row, so that the caller can continue. A fault of the file is an
error with its place and remedy. Errors never have values of rows, which may be texts.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files import dialects, encodings, formats
from valence.service.files.compression import open_unpacked
from valence.service.files.delimited_text import read_delimited
from valence.service.files.fasttext import read_fasttext
from valence.service.files.json_objects import has_object_lines, read_json
from valence.service.files.parquet import read_parquet
from valence.service.files.table import Row, Table
from valence.service.files.text import Text
from valence.service.files.workbook import read_workbook


class Rows:
    """The rows of the file ``path``, in order. Close it, for example with ``contextlib.closing``.

    If ``encoding`` is "auto", :mod:`valence.service.files.encodings` detects it; two codecs, as in
    ``utf-8,cp1252``, are tried line by line. :mod:`valence.service.files.dialects` detects the
    delimiter, and the ``quoting`` if it is "auto". With ``columns`` each row has exactly these
    columns, and a file or a JSON object without one of them is refused. ``part`` is a range of
    bytes ``(start, end)``: only the rows of JSON Lines that begin in it, for files that
    :func:`has_plain_lines`.

    Raises :class:`ConfigurationError` for an unknown ``encoding``; iteration raises it for a file
    that cannot be read.
    """

    def __init__(
        self,
        path: Path,
        form: str,
        *,
        encoding: str = encodings.AUTO,
        quoting: str = dialects.AUTO,
        columns: Sequence[str] | None = None,
        part: tuple[int, int] | None = None,
    ) -> None:
        _check_encoding(path, encoding)
        if quoting not in dialects.QUOTINGS:
            raise ConfigurationError(
                f"{quoting!r} is not a quoting; known are {', '.join(dialects.QUOTINGS)}"
            )
        self._table = Table(path, columns)
        self._rows = self._read(form, encoding, quoting, part)

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def close(self) -> None:
        """Close the file, also before its end."""
        self._table.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of each row; of JSON, those of the first object. Reads up to the first row.

        Raises :class:`ConfigurationError` for a file that cannot be read.
        """
        if not self._table.columns:
            first = list(itertools.islice(self._rows, 1))
            self._rows = itertools.chain(first, self._rows)
        return self._table.columns

    def require_column(self, name: str, *, option: str) -> None:
        """Raise :class:`ConfigurationError` if the file does not have the column ``name``.

        ``option`` is what names another one. The function reads up to the first row.
        """
        if self.columns:
            self._table.require_column(name, option=option)

    @property
    def size(self) -> int:
        """Bytes of the file; of Parquet, rows. 0 before the first row."""
        return self._table.size

    @property
    def read(self) -> int:
        """How much of ``size`` has been read, including buffered bytes."""
        return self._table.read

    def _read(
        self, form: str, encoding: str, quoting: str, part: tuple[int, int] | None
    ) -> Iterator[Row]:
        if form == "parquet":
            return read_parquet(self._table)
        if form == "xlsx":
            return read_workbook(self._table)
        return self._read_text(form, encoding, quoting, part)

    def _read_text(
        self, form: str, encoding: str, quoting: str, part: tuple[int, int] | None
    ) -> Iterator[Row]:
        table = self._table
        if encoding == encodings.AUTO:
            encoding = encodings.detect_file_encoding(table.path).name
        try:
            table.file, stream = (
                open_unpacked(table.path) if part is None else _open_plain(table.path)
            )
            table.size = table.path.stat().st_size
            with table.file, stream:
                if part is not None and table.wanted is not None:
                    table.columns = tuple(table.wanted)  # of the object that the file begins with
                text = Text(table, stream, encoding, part)
                if form == "jsonl":
                    yield from read_json(table, text)
                elif form == "fasttext":
                    yield from read_fasttext(table, text)
                else:
                    yield from read_delimited(table, text, form, quoting)
        except OSError as error:
            raise ConfigurationError(f"{table.path}: cannot be read: {error.strerror}") from None


def has_plain_lines(path: Path) -> bool:
    """Whether the file at ``path`` is JSON Lines in UTF-8 that can be read from any byte on."""
    if formats.detect_format(path) != "jsonl":
        return False
    table = Table(path, None)
    file, stream = open_unpacked(path)
    with closing(file):
        text = Text(table, stream, "utf-8")
        return stream is file and has_object_lines(text) and text.find_line_end() == "\n"


def _open_plain(path: Path) -> tuple[io.BufferedReader, io.BufferedReader]:
    file = path.open("rb")
    return file, file


def _check_encoding(path: Path, encoding: str) -> None:
    try:
        if encoding != encodings.AUTO:
            encodings.split_encodings(encoding)
    except LookupError:
        raise ConfigurationError(
            f"{path}: {encoding!r} is not an encoding; common ones are utf-8, cp1252 and utf-16; "
            "utf-8,cp1252 reads lines that are not in UTF-8 as cp1252, and auto detects it"
        ) from None
