"""Rows of files: CSV, TSV, JSON Lines (all gzipped or not) and Parquet, read one at a time.

What is wrong with one row is said with the row, so that who reads may go on; what is wrong with the
file is refused with its place and remedy. Of a row's values none is ever named: they may be texts.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

from valence.service.errors import ConfigurationError
from valence.service.files import delimiters, encodings
from valence.service.files.encodings import is_gzipped

FORMATS = ("csv", "tsv", "jsonl", "parquet")
_EXTENSIONS = {".ndjson": "jsonl", **{f".{name}": name for name in FORMATS}}
# what a field may hold: beyond it a quotation mark has most likely been left open
_LARGEST_FIELD = 10_000_000
_PARQUET_ROWS = 4_096
# what the delimiter is told from
_FIRST_LINES = 64
_FIRST_CHARACTERS = 2**20
_COLUMNS_SHOWN = 20
_LONGEST_SHOWN = 40


class Row(NamedTuple):
    """A row's values by column, where it is in its file, and why it cannot be used, if so."""

    values: dict[str, Any]
    place: str
    fault: str = ""


class Rows:
    """The rows of the file ``path``, in order; to be closed, as by ``contextlib.closing``.

    The ``encoding`` is told by the file (:mod:`valence.service.files.encodings`) if it is "auto", and so is the
    delimiter (:mod:`valence.service.files.delimiters`). With ``columns`` each row has those and no others, and a
    file or a JSON object that lacks one is refused. ``read`` of ``size`` bytes (rows, of Parquet)
    have been read. ``part``, from a byte up to a byte, leaves the rows of JSON lines that begin
    there: in UTF-8 and not gzipped. Iterating raises :class:`ConfigurationError`, as does an
    ``encoding`` that does not exist.
    """

    def __init__(
        self,
        path: Path,
        form: str,
        *,
        encoding: str = encodings.AUTO,
        columns: Sequence[str] | None = None,
        part: tuple[int, int] | None = None,
    ) -> None:
        try:
            if encoding != encodings.AUTO:
                codecs.lookup(encoding)
        except LookupError:
            raise ConfigurationError(
                f"{path}: no encoding is called {encoding!r}; utf-8, cp1252 and utf-16 are common, "
                "and auto lets the file tell"
            ) from None
        self.size = 0
        self._path = path
        self._columns = columns
        self._part = part
        # lines are counted from where reading begins
        self._from = f" from byte {part[0]:,}" if part and part[0] else ""
        self._parquet_rows = 0
        self._file: IO[bytes] | None = None
        self._rows = self._of_parquet() if form == "parquet" else self._of_text(form, encoding)

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def close(self) -> None:
        """Close the file, wherever in it the reading is."""
        if self._file is not None:
            self._file.close()

    @property
    def read(self) -> int:
        """How much of ``size`` has been read; what lies ahead in a buffer is read."""
        if self._file is None or self._file.closed:
            return self.size
        return self._parquet_rows or self._file.tell()

    def _of_text(self, form: str, encoding: str) -> Iterator[Row]:
        if encoding == encodings.AUTO:
            encoding = encodings.detect_file_encoding(self._path).name
        try:
            self._file = self._path.open("rb")
            self.size = self._path.stat().st_size
            with self._file as file:
                stream = encodings.decompress(file, self._path)
                lines = self._lines(
                    stream if self._part is None else _lines_of(file, *self._part),  # type: ignore[arg-type]
                    encoding,
                )
                yield from (self._of_json(lines) if form == "jsonl" else self._of_csv(lines, form))
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from None

    def _lines(self, stream: IO[bytes], encoding: str) -> Iterator[str]:
        number = 0
        try:
            if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
                for number, line in enumerate(stream, 1):
                    # a byte order mark is no part of the first column's name
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            else:
                # a line feed may be more than a byte there, so lines are cut after decoding
                with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
                    for number, decoded in enumerate(text, 1):  # noqa: B007 - told in the error
                        yield decoded
        except UnicodeDecodeError as error:
            byte = f"the byte 0x{error.object[error.start]:02x} is not {error.encoding.upper()}"
            # which is decoded some lines ahead, but for UTF-8
            where = "line" if error.encoding.startswith("utf-8") else "after line"
            raise ConfigurationError(
                f"{self._path}, {where} {number}{self._from}: {byte}; say which encoding it is, "
                "such as --encoding cp1252"
            ) from None
        except UnicodeError as error:
            raise ConfigurationError(
                f"{self._path}, after line {number}: {error}; see --encoding"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ConfigurationError(
                f"{self._path}, after line {number}: not gzip, damaged or cut short; name a file "
                "that is not compressed without .gz, or copy it anew"
            ) from None

    def _of_json(self, lines: Iterator[str]) -> Iterator[Row]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"line {number}{self._from}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                said = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
                yield Row({}, place, f"not JSON ({said}); a line holds one object")
                continue
            if not isinstance(values, dict):
                yield Row({}, place, f"a {type(values).__name__}, not an object")
            elif self._columns is None:
                yield Row(values, place)
            else:
                if any(name not in values for name in self._columns):
                    self._check(list(values), place)
                yield Row({name: values[name] for name in self._columns}, place)

    def _of_csv(self, lines: Iterator[str], form: str) -> Iterator[Row]:
        csv.field_size_limit(_LARGEST_FIELD)
        first = list(_first(lines))
        delimiter = delimiters.detect_delimiter(first, form, columns=self._columns or ())
        lines = itertools.chain(first, lines)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        head = self._head(reader)
        columns = self._check(head, "line 1")
        places = [(name, head.index(name)) for name in columns]
        while True:
            place = f"line {reader.line_num + 1}"  # a row may span lines: where it begins
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Row(
                    {}, place, f"{error}; look for a quotation mark not doubled or not closed"
                )
                continue
            if cells is None:
                return
            if len(cells) == len(head):
                yield Row({name: cells[index] for name, index in places}, place)
            elif cells:
                fault = (
                    f"{len(cells)} fields, the header names {len(head)}; quote a field that holds "
                    f"{delimiter!r} or a line break"
                )
                yield Row(dict(zip(head, cells, strict=False)), place, fault)

    def _head(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            return next(reader, [])
        except csv.Error as error:
            raise ConfigurationError(f"{self._path}, line 1: {error}") from None

    def _of_parquet(self) -> Iterator[Row]:
        pyarrow = import_pyarrow()
        try:
            with (
                self._path.open("rb") as self._file,
                pyarrow.parquet.ParquetFile(self._file) as file,
            ):
                self.size = file.metadata.num_rows
                columns = list(self._check(file.schema_arrow.names))
                for batch in file.iter_batches(_PARQUET_ROWS, columns=columns):
                    for values in batch.to_pylist():
                        self._parquet_rows += 1
                        yield Row(values, f"row {self._parquet_rows}")
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigurationError(
                f"{self._path}: not a Parquet file that can be read: {error}"
            ) from None

    def _check(self, names: Sequence[str], place: str = "") -> Sequence[str]:
        """The columns to read of those that there are, each of them there once."""
        where = f"{self._path}, {place}" if place else str(self._path)
        if not names:
            raise ConfigurationError(f"{where}: nothing names the columns; columns: none")
        for wanted in names if self._columns is None else self._columns:
            if wanted not in names:
                near = difflib.get_close_matches(wanted, names, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                known = ", ".join(map(shorten, names[:_COLUMNS_SHOWN]))
                raise ConfigurationError(f"{where}: no column {wanted!r}; {hint}columns: {known}")
            if names.count(wanted) > 1:
                raise ConfigurationError(f"{where}: column {wanted!r} is there twice; rename one")
        return names if self._columns is None else tuple(dict.fromkeys(self._columns))


def _first(lines: Iterator[str]) -> Iterator[str]:
    """The first lines, and of long ones fewer."""
    characters = 0
    for line in itertools.islice(lines, _FIRST_LINES):
        yield line
        characters += len(line)
        if characters > _FIRST_CHARACTERS:
            return


def _lines_of(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """The lines whose first byte lies in the part."""
    if start:
        file.seek(start - 1)
        file.readline()  # the rest of a line that began before
    while file.tell() < end and (line := file.readline()):
        yield line


def detect_format(path: Path) -> str | None:
    """Which of :data:`FORMATS` a file has by its extension; None if none, as Parquet in gzip."""
    plain = path.with_suffix("") if is_gzipped(path) else path
    found = _EXTENSIONS.get(plain.suffix.lower())
    return None if found == "parquet" and is_gzipped(path) else found


def require_format(path: Path, said: str | None = None) -> str:
    """The format ``said``, or that of the extension; :class:`ConfigurationError` if neither."""
    found = said or detect_format(path)
    if found is None:
        raise ConfigurationError(
            f"{path}: the extension names none of {', '.join(FORMATS)}, all but the last with .gz "
            "or without"
        )
    return found


def shorten(value: Any) -> str:
    """A value as an error names it, shortened: a file without a header has a text for a name."""
    whole = repr(value)
    return whole if len(whole) <= _LONGEST_SHOWN else f"{whole[:_LONGEST_SHOWN]}…"


def import_pyarrow() -> ModuleType:
    """pyarrow, with its Parquet; raises :class:`ConfigurationError` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed: pip install 'valence[bulk]', or use "
            "CSV or JSON Lines"
        ) from None
    module: ModuleType = pyarrow
    return module
