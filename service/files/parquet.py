"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from valence.service.errors import ConfigurationError
from valence.service.files.table import Row, Table

_ROWS = 256


def read_parquet(table: Table) -> Iterator[Row]:
    """The rows of ``table``. Raises :class:`ConfigurationError`."""
    pyarrow = import_pyarrow()
    try:
        with (
            table.path.open("rb") as table.file,
            pyarrow.parquet.ParquetFile(table.file) as file,
        ):
            table.size = file.metadata.num_rows
            columns = list(table.choose_columns(file.schema_arrow.names))
            for batch in file.iter_batches(_ROWS, columns=columns):
                for values in batch.to_pylist():
                    table.rows += 1
                    size = sum(len(value) for value in values.values() if _has_length(value))
                    yield Row(values, f"row {table.rows}", size=size)
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigurationError(
            f"{table.path}: cannot be read as a Parquet file: {error}"
        ) from None


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


def _has_length(value: object) -> bool:
    return isinstance(value, str | bytes)
