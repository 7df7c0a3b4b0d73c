"""Rows of CSV, TSV, JSON Lines and Parquet files, read one at a time. All but Parquet may be .gz.

A fault of one row is part of the row, so that the caller can continue. A fault of the file is an
error with its place and remedy. Errors never have values of rows, which may be texts.
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
from valence.service.files.lines import (
    MAX_ROW,
    TOO_LONG,
    RowLines,
    RowTooLong,
    read_lines,
    read_lines_within,
)

FORMATS = ("csv", "tsv", "jsonl", "parquet")
_EXTENSIONS = {".ndjson": "jsonl", **{f".{name}": name for name in FORMATS}}
_PARQUET_ROWS = 256
# the part of the file that decides on the delimiter
_SAMPLE_LINES = 64
_SAMPLE_CHARACTERS = 2**20
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


class Rows:
    """The rows of the file ``path``, in order. Close it, for example with ``contextlib.closing``.

    If ``encoding`` is "auto", :mod:`valence.service.files.encodings` detects it.
    :mod:`valence.service.files.delimiters` detects the delimiter. With ``columns`` each row has
    exactly these columns, and a file or a JSON object without one of them is refused. ``read`` of
    ``size`` bytes (rows, for Parquet) have been read so far. ``part`` is a range of bytes ``(start,
    end)``: only the rows of JSON Lines that begin in it, for UTF-8 and uncompressed files.

    Raises :class:`ConfigurationError` for an unknown ``encoding``; iteration raises it for a file
    that cannot be read.
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
                f"{path}: {encoding!r} is not an encoding; common ones are utf-8, cp1252 and "
                "utf-16, and auto detects it"
            ) from None
        self.size = 0
        self._path = path
        self._columns = columns
        self._part = part
        # line numbers count from the first byte of the part
        self._from = f" from byte {part[0]:,}" if part and part[0] else ""
        self._parquet_rows = 0
        self._file: IO[bytes] | None = None
        self._rows = self._read_parquet() if form == "parquet" else self._read_text(form, encoding)

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def close(self) -> None:
        """Close the file, also before its end."""
        if self._file is not None:
            self._file.close()

    @property
    def read(self) -> int:
        """How much of ``size`` has been read, including buffered bytes."""
        if self._file is None or self._file.closed:
            return self.size
        return self._parquet_rows or self._file.tell()

    def _read_text(self, form: str, encoding: str) -> Iterator[Row]:
        if encoding == encodings.AUTO:
            encoding = encodings.detect_file_encoding(self._path).name
        try:
            self._file = self._path.open("rb")
            self.size = self._path.stat().st_size
            with self._file as file:
                lines = self._decode_lines(file, encoding)
                yield from (
                    self._read_json(lines) if form == "jsonl" else self._read_csv(lines, form)
                )
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from None

    def _decode_lines(self, file: IO[bytes], encoding: str) -> Iterator[str | None]:
        """The lines of ``file``; None for a line that is too long."""
        number = 0
        stream = encodings.decompress(file, self._path)
        try:
            if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
                encoded = (
                    read_lines(stream)
                    if self._part is None
                    else read_lines_within(stream, *self._part)
                )
                for number, line in enumerate(encoded, 1):
                    # the byte order mark does not belong to the name of the first column
                    codec = "utf-8-sig" if number == 1 else "utf-8"
                    yield None if line is None else line.decode(codec)
            else:
                # a line feed may have several bytes in other encodings, so decode before splitting
                with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
                    for number, decoded in enumerate(read_lines(text), 1):  # noqa: B007 - for errors
                        yield decoded
        except UnicodeDecodeError as error:
            byte = f"the byte 0x{error.object[error.start]:02x} is not {error.encoding.upper()}"
            # other encodings than UTF-8 are decoded some lines ahead
            where = "line" if error.encoding.startswith("utf-8") else "after line"
            raise ConfigurationError(
                f"{self._path}, {where} {number}{self._from}: {byte}; set the encoding, such as "
                "--encoding cp1252"
            ) from None
        except UnicodeError as error:
            raise ConfigurationError(
                f"{self._path}, after line {number}: {error}; see --encoding"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ConfigurationError(
                f"{self._path}, after line {number}: not gzip, damaged or cut short; copy the file "
                "again, or remove .gz from the name of a file that is not compressed"
            ) from None

    def _read_json(self, lines: Iterator[str | None]) -> Iterator[Row]:
        for number, line in enumerate(lines, 1):
            place = f"line {number}{self._from}"
            if line is None:
                yield Row({}, place, TOO_LONG)
                continue
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
                yield Row({}, place, f"not JSON ({reason}); a line must be one object")
                continue
            if not isinstance(values, dict):
                yield Row({}, place, f"a {type(values).__name__}, not an object")
            elif self._columns is None:
                yield Row(values, place, size=len(line))
            else:
                if any(name not in values for name in self._columns):
                    self._choose_columns(list(values), place)
                shown = {name: values[name] for name in self._columns}
                yield Row(shown, place, size=len(line))

    def _read_csv(self, lines: Iterator[str | None], form: str) -> Iterator[Row]:
        csv.field_size_limit(MAX_ROW)
        sample = list(_take_sample(lines))
        delimiter = delimiters.detect_delimiter(
            [line for line in sample if line is not None], form, columns=self._columns or ()
        )
        source = RowLines(itertools.chain(sample, lines))
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        head = self._read_head(reader)
        columns = self._choose_columns(head, "line 1")
        places = [(name, head.index(name)) for name in columns]
        while True:
            place = f"line {source.number + 1}"  # the first line of a row with line breaks
            source.start_row()
            try:
                cells = next(reader, None)
            except RowTooLong:
                yield Row({}, place, TOO_LONG)
                continue
            except csv.Error as error:
                yield Row(
                    {},
                    place,
                    f"{error}; look for an open quotation mark, or one that must be doubled",
                )
                continue
            if cells is None:
                return
            if len(cells) == len(head):
                values = {name: cells[index] for name, index in places}
                yield Row(values, place, size=source.size)
            elif cells:
                fault = (
                    f"{len(cells)} fields, the header has {len(head)}; put a field with "
                    f"{delimiter!r} or a line break in quotes"
                )
                yield Row(dict(zip(head, cells, strict=False)), place, fault, source.size)

    def _read_head(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            return next(reader, [])
        except csv.Error as error:
            raise ConfigurationError(f"{self._path}, line 1: {error}") from None
        except RowTooLong:
            raise ConfigurationError(f"{self._path}, line 1: {TOO_LONG}") from None

    def _read_parquet(self) -> Iterator[Row]:
        pyarrow = import_pyarrow()
        try:
            with (
                self._path.open("rb") as self._file,
                pyarrow.parquet.ParquetFile(self._file) as file,
            ):
                self.size = file.metadata.num_rows
                columns = list(self._choose_columns(file.schema_arrow.names))
                for batch in file.iter_batches(_PARQUET_ROWS, columns=columns):
                    for values in batch.to_pylist():
                        self._parquet_rows += 1
                        size = sum(len(value) for value in values.values() if _has_length(value))
                        yield Row(values, f"row {self._parquet_rows}", size=size)
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigurationError(
                f"{self._path}: cannot be read as a Parquet file: {error}"
            ) from None

    def _choose_columns(self, names: Sequence[str], place: str = "") -> Sequence[str]:
        """The columns to read, of which ``names`` must have each exactly once."""
        where = f"{self._path}, {place}" if place else str(self._path)
        if not names:
            raise ConfigurationError(f"{where}: the file does not have columns")
        for wanted in names if self._columns is None else self._columns:
            if wanted not in names:
                near = difflib.get_close_matches(wanted, names, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                known = ", ".join(map(shorten, names[:_MAX_COLUMNS_SHOWN]))
                raise ConfigurationError(f"{where}: no column {wanted!r}; {hint}columns: {known}")
            if names.count(wanted) > 1:
                raise ConfigurationError(f"{where}: two columns are called {wanted!r}; rename one")
        return names if self._columns is None else tuple(dict.fromkeys(self._columns))


def _take_sample(lines: Iterator[str | None]) -> Iterator[str | None]:
    """The first lines; fewer if the lines are long."""
    characters = 0
    for line in itertools.islice(lines, _SAMPLE_LINES):
        yield line
        characters += len(line or "")
        if characters > _SAMPLE_CHARACTERS:
            return


def _has_length(value: object) -> bool:
    return isinstance(value, str | bytes)


def detect_format(path: Path) -> str | None:
    """The format by the extension of a file; None if unknown, and for Parquet in gzip."""
    plain = path.with_suffix("") if is_gzipped(path) else path
    form = _EXTENSIONS.get(plain.suffix.lower())
    return None if form == "parquet" and is_gzipped(path) else form


def require_format(path: Path, form: str | None = None) -> str:
    """``form``, or the format by the extension; raises :class:`ConfigurationError` without both."""
    form = form or detect_format(path)
    if form is None:
        raise ConfigurationError(
            f"{path}: the extension must be one of {', '.join(FORMATS)}; all except the last may "
            "have .gz after it"
        )
    return form


def shorten(value: Any) -> str:
    """A value for an error message, cut: the name of a column is a text without a header."""
    text = repr(value)
    return text if len(text) <= _MAX_CHARACTERS_SHOWN else f"{text[:_MAX_CHARACTERS_SHOWN]}…"


def import_pyarrow() -> ModuleType:
    """Import pyarrow with Parquet; raises :class:`ConfigurationError` if it is not installed."""
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
