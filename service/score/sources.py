"""Files of texts, read in parts whose rows keep all their columns and types."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from valence.service.errors import ConfigurationError
from valence.service.files import missing_values
from valence.service.files.fault import TYPE, Fault
from valence.service.files.parquet import import_pyarrow, read_batches, read_schema
from valence.service.files.rows import Rows
from valence.service.files.table import Row, Table
from valence.service.score.arrays import holds_bytes, holds_texts, read_texts
from valence.service.score.options import Options
from valence.service.score.plain_values import to_plain
from valence.service.score.survey import make_array, survey_columns, survey_types

if TYPE_CHECKING:
    import pyarrow


class Part(Protocol):
    """Some rows of a file."""

    def __len__(self) -> int: ...

    def read_texts(self, column: str) -> list[str | Fault]:
        """The texts of a column. A missing text is an empty text."""

    def find_place(self, index: int) -> str:
        """The place of a row of the part in the file."""

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows as values that JSON has."""

    def to_table(self, schema: pyarrow.Schema) -> pyarrow.Table:
        """The rows as an Arrow table of the ``schema`` of the file."""


class Source(Protocol):
    """A file of texts.

    Only a source whose rows may become an Arrow table has a ``schema``.
    """

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    @property
    def schema(self) -> pyarrow.Schema | None:
        """The types of the columns."""

    def require_column(self, name: str) -> None:
        """Raise :class:`ConfigurationError` for a file with columns, but without this one."""

    @property
    def share(self) -> float:
        """The share of the file that has been read."""

    def read_parts(self) -> Iterator[Part]:
        """The rows in parts, which do not depend on the run."""

    def close(self) -> None:
        """Close the file."""


def open_source(path: Path, options: Options) -> Source:
    """The file ``path``; raises :class:`ConfigurationError` for one that cannot be scored."""
    kind = ParquetSource if options.in_format == "parquet" else RowSource
    return kind(path, options)


@dataclass(frozen=True)
class RowPart:
    """Rows of a file that has no types of Arrow."""

    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        # to pickle plain tuples takes a third of the time
        return _make_rows, ([tuple(row) for row in self.rows],)

    def read_texts(self, column: str) -> list[str | Fault]:
        """The texts of a column; a row with a fault does not have one."""
        return [_find_text(row, column) for row in self.rows]

    def find_place(self, index: int) -> str:
        """The place of a row of the part in the file."""
        return self.rows[index].place

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows; a row with a fault has some of its values, or none."""
        return [row.values for row in self.rows]

    def to_table(self, schema: pyarrow.Schema) -> pyarrow.Table:
        """The rows as an Arrow table; absent values are null."""
        arrow = import_pyarrow()
        arrays = [
            make_array([row.values.get(field.name) for row in self.rows], field.type)
            for field in schema
        ]
        return arrow.Table.from_arrays(arrays, schema=schema)


def _make_rows(rows: Sequence[tuple[Any, ...]]) -> RowPart:
    return RowPart([Row(*row) for row in rows])


class RowSource:
    """A file that has no types of Arrow."""

    def __init__(self, path: Path, options: Options) -> None:
        self._options = options
        self.schema: pyarrow.Schema | None = None
        self._rows = self._open(path)
        try:
            self._read_columns(path)
        except BaseException:
            self._rows.close()
            raise

    def _read_columns(self, path: Path) -> None:
        options = self._options
        self.columns: Sequence[str] = self._rows.columns
        if options.in_format in ("jsonl", "fasttext"):
            self._survey(path)
        elif options.out_format == "parquet":
            arrow = import_pyarrow()
            self.schema = arrow.schema([(name, arrow.string()) for name in self.columns])

    def _open(self, path: Path) -> Rows:
        options = self._options
        return Rows(path, options.in_format, encoding=options.encoding, quoting=options.quoting)

    def _survey(self, path: Path) -> None:
        """Learn the columns of a file without a header, and their types, from all of its rows."""
        options = self._options

        def read_chunks() -> Iterator[Sequence[Row]]:
            with closing(self._open(path)) as rows:
                yield from _take_parts(iter(rows), options)

        self.columns = survey_columns(path, read_chunks, options.out_format)
        if options.out_format == "parquet":
            self.schema = survey_types(path, read_chunks, self.columns)

    def require_column(self, name: str) -> None:
        """Raise :class:`ConfigurationError` for a file with columns, but without this one."""
        if self.columns and name not in self.columns:
            self._rows.require_column(name, option="--text-column")

    @property
    def share(self) -> float:
        """The share of the bytes of the file that has been read."""
        return self._rows.read / max(self._rows.size, 1)

    def read_parts(self) -> Iterator[Part]:
        """The rows, as many at a time as the options allow."""
        for rows in _take_parts(iter(self._rows), self._options):
            yield RowPart(rows)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


@dataclass(frozen=True)
class TablePart:
    """Rows of Parquet, with so many rows ``above`` them."""

    table: pyarrow.Table
    above: int = 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        # the library's own pickle of a slice has the whole of what it is a slice of
        sink = io.BytesIO()
        with import_pyarrow().ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return _read_table, (sink.getvalue(), self.above)

    def read_texts(self, column: str) -> list[str | Fault]:
        """The texts of a column."""
        chunks = self.table.column(column).chunks
        return [text for chunk in chunks for text in read_texts(chunk)]

    def find_place(self, index: int) -> str:
        """The place of a row of the part in the file."""
        return f"row {self.above + index + 1}"

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows as values that JSON has."""
        columns = [
            [value for chunk in column.chunks for value in to_plain(chunk)]
            for column in self.table.columns
        ]
        names = self.table.column_names
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def to_table(self, schema: pyarrow.Schema) -> pyarrow.Table:  # noqa: ARG002 - it has it
        """The rows as they are."""
        return self.table


def _read_table(stream: bytes, above: int) -> TablePart:
    return TablePart(import_pyarrow().ipc.open_stream(stream).read_all(), above)


class ParquetSource:
    """A file of Parquet."""

    def __init__(self, path: Path, options: Options) -> None:
        self._options = options
        self._rows = 0
        self.schema = read_schema(path)
        self._table = Table(path, None)
        self.columns = self._table.choose_columns(self.schema.names)
        if options.text_column in self.columns:
            kind = self.schema.field(options.text_column).type
            if not holds_texts(kind):
                raise ConfigurationError(
                    f"{path}: the column {options.text_column!r} has values of the type {kind}, "
                    "not texts; set the column with the texts by --text-column"
                )

    def require_column(self, name: str) -> None:
        """Raise :class:`ConfigurationError` for a file without this column."""
        self._table.require_column(name, option="--text-column")

    @property
    def share(self) -> float:
        """The share of the rows of the file that has been given."""
        return self._rows / max(self._table.size, 1)

    def read_parts(self) -> Iterator[Part]:
        """The rows, as many at a time as the options allow."""
        pieces: list[pyarrow.RecordBatch] = []
        room = _Room(self._options)
        for batch in read_batches(self._table):
            start = 0
            for end, row_size in enumerate(_measure_rows(batch), 1):
                if room.fill(row_size):
                    yield self._make_part([*pieces, batch.slice(start, end - start)])
                    pieces, start = [], end
            if start < len(batch):
                pieces.append(batch.slice(start))
        if pieces:
            yield self._make_part(pieces)

    def _make_part(self, pieces: Sequence[pyarrow.RecordBatch]) -> TablePart:
        table = import_pyarrow().Table.from_batches(pieces, schema=self.schema)
        part = TablePart(table, self._rows)
        self._rows += len(part)
        return part

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def _measure_rows(batch: pyarrow.RecordBatch) -> Sequence[int]:
    """About how many bytes each row has."""
    arrow = import_pyarrow()
    sizes = np.zeros(len(batch), dtype=np.int64)
    for column in batch.columns:
        if holds_bytes(column.type):
            lengths = arrow.compute.binary_length(column.cast(arrow.large_binary())).fill_null(0)
            sizes += lengths.to_numpy(zero_copy_only=False)
        else:
            sizes += column.nbytes // len(batch)
    return sizes.tolist()


def _take_parts(rows: Iterator[Row], options: Options) -> Iterator[Sequence[Row]]:
    """The rows in parts; the rows of a part do not depend on the run."""
    part: list[Row] = []
    room = _Room(options)
    for row in rows:
        part.append(row)
        if room.fill(row.size):
            yield part
            part = []
    if part:
        yield part


class _Room:
    """The room of one part after another."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rows = self._size = 0

    def fill(self, size: int) -> bool:
        """Put a row of this size into the part; whether the part is full then."""
        self._rows += 1
        self._size += size
        is_full = (
            self._rows == self._options.part_rows or self._size > self._options.part_characters
        )
        if is_full:
            self._rows = self._size = 0
        return is_full


def _find_text(row: Row, column: str) -> str | Fault:
    if row.fault:
        return row.fault.place_in(row.place)
    value = row.values.get(column)
    text = missing_values.read_text(value)
    if text is None:
        told = f"{row.place}: column {column!r} has a {type(value).__name__}, not a text"
        return Fault(told, TYPE)
    return text
