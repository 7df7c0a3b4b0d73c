"""Parquet files: their schema, their rows, and batches of rows with the types of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.fault import DAMAGE, Fault
from valence.service.files.table import Row, Table

if TYPE_CHECKING:
    import pyarrow

_ROWS = 256
_UNREADABLE = Fault("a value cannot be read, such as a text that is not UTF-8", DAMAGE)


def read_parquet(table: Table) -> Iterator[Row]:
    """The rows of ``table``. Raises :class:`ConfigurationError`."""
    columns = list(table.choose_columns(read_schema(table.path).names))
    for batch in read_batches(table, columns):
        with _name_file(table.path):
            rows = _list_rows(batch)
        for values in rows:
            table.rows += 1
            place = f"row {table.rows}"
            if values is None:
                yield Row({}, place, _UNREADABLE)
                continue
            size = sum(len(value) for value in values.values() if _has_length(value))
            yield Row(values, place, size=size)


def read_schema(path: Path) -> pyarrow.Schema:
    """The columns of a file with their types. Raises :class:`ConfigurationError`."""
    with _name_file(path):
        return import_pyarrow().parquet.read_schema(path)


def read_batches(
    table: Table, columns: Sequence[str] | None = None
) -> Iterator[pyarrow.RecordBatch]:
    """A few rows at a time, with their types. Raises :class:`ConfigurationError`."""
    parquet = import_pyarrow().parquet
    with (
        _name_file(table.path),
        table.path.open("rb") as table.file,
        parquet.ParquetFile(table.file) as file,
    ):
        table.size = file.metadata.num_rows
        yield from file.iter_batches(_ROWS, columns=columns)


@contextmanager
def _name_file(path: Path) -> Iterator[None]:
    """Turn errors of reading into :class:`ConfigurationError`."""
    try:
        yield
    except (OSError, import_pyarrow().ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigurationError(f"{path}: cannot be read as a Parquet file: {reason}") from None


def import_pyarrow() -> ModuleType:
    """Import pyarrow with Parquet; raises :class:`ConfigurationError` if it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.ipc
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed: pip install 'valence[score]', or use "
            "CSV or JSON Lines"
        ) from None
    module: ModuleType = pyarrow
    return module


def _list_rows(batch: pyarrow.RecordBatch) -> list[dict[str, Any] | None]:
    """The values of each row; None for one with a value that Python does not have."""
    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except (UnicodeDecodeError, ValueError, OverflowError):
        if len(batch) == 1:
            return [None]
    half = len(batch) // 2
    return [*_list_rows(batch.slice(0, half)), *_list_rows(batch.slice(half))]


def _has_length(value: object) -> bool:
    return isinstance(value, str | bytes)
