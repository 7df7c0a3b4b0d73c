"""Rows of CSV, TSV, JSON Lines and Parquet files, read one at a time. All but Parquet may be .gz.

A fault of one row is part of the row, so that the caller can continue. A fault of the file is an
error with its place and remedy. Errors never have values of rows, which may be texts.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.delimited import read_delimited
from valence.service.files.json_lines import read_json_lines
from valence.service.files.lines import read_lines, read_lines_within
from valence.service.files.parquet import read_parquet
from valence.service.files.table import Row, Table


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
        self._part = part
        # line numbers count from the first byte of the part
        self._from = f" from byte {part[0]:,}" if part and part[0] else ""
        self._table = Table(path, columns)
        self._rows = (
            read_parquet(self._table) if form == "parquet" else self._read_text(form, encoding)
        )

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def close(self) -> None:
        """Close the file, also before its end."""
        self._table.close()

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the header, once the first row is read, even of a table without rows."""
        return self._table.columns

    @property
    def size(self) -> int:
        """Bytes of the file; of Parquet, rows. 0 before the first row."""
        return self._table.size

    @property
    def read(self) -> int:
        """How much of ``size`` has been read, including buffered bytes."""
        return self._table.read

    def _read_text(self, form: str, encoding: str) -> Iterator[Row]:
        table = self._table
        if encoding == encodings.AUTO:
            encoding = encodings.detect_file_encoding(table.path).name
        try:
            table.file = table.path.open("rb")
            table.size = table.path.stat().st_size
            with table.file as file:
                lines = self._decode_lines(file, encoding)
                yield from (
                    read_json_lines(table, lines, self._from)
                    if form == "jsonl"
                    else read_delimited(table, lines, form)
                )
        except OSError as error:
            raise ConfigurationError(f"{table.path}: cannot be read: {error.strerror}") from None

    def _decode_lines(self, file: IO[bytes], encoding: str) -> Iterator[str | None]:
        """The lines of ``file``; None for a line that is too long."""
        number = 0
        path = self._table.path
        stream = encodings.decompress(file, path)
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
                f"{path}, {where} {number}{self._from}: {byte}; set the encoding, such as "
                "--encoding cp1252"
            ) from None
        except UnicodeError as error:
            raise ConfigurationError(
                f"{path}, after line {number}: {error}; see --encoding"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ConfigurationError(
                f"{path}, after line {number}: not gzip, damaged or cut short; copy the file "
                "again, or remove .gz from the name of a file that is not compressed"
            ) from None
