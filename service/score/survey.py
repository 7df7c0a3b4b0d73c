"""The columns of JSON Lines, from all rows: a line may have fields that no line before it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.parquet import import_pyarrow
from valence.service.files.table import Row, show_name

if TYPE_CHECKING:
    import pyarrow

Chunks = Callable[[], Iterator[Sequence[Row]]]
"""Reads all rows of a file, some at a time; it may be called again."""

_MAX_COLUMNS = 10_000
_REMEDY = "write JSON Lines (.jsonl), which can hold any value"


def survey_columns(path: Path, read_chunks: Chunks, out_format: str) -> Sequence[str]:
    """The fields of all rows, in the order in which they come.

    Raises :class:`ConfigurationError` for more than a table may have, and for half of a character
    where ``out_format`` cannot hold it.
    """
    columns: dict[str, None] = {}
    for rows in read_chunks():
        for row in rows:
            if row.values.keys() - columns.keys():
                columns |= dict.fromkeys(row.values)
        if out_format != "jsonl":
            if len(columns) > _MAX_COLUMNS:
                raise ConfigurationError(
                    f"{path}: more than {_MAX_COLUMNS:,} different fields, too many for the "
                    f"columns of a table; {_REMEDY}"
                )
            _require_characters(path, rows)
    return tuple(columns)


def survey_types(path: Path, read_chunks: Chunks, columns: Sequence[str]) -> pyarrow.Schema:
    """The Arrow types that hold the values of ``columns``, as precisely as JSON has them.

    Raises :class:`ConfigurationError` for a column that no type can hold.
    """
    arrow = import_pyarrow()
    found: dict[str, pyarrow.Field] = {name: arrow.field(name, arrow.null()) for name in columns}
    changed = set()
    for rows in read_chunks():
        for name in _names(rows):
            field = arrow.field(name, _convert(path, name, rows).type)
            if field.type != found[name].type:
                if not arrow.types.is_null(found[name].type):
                    changed.add(name)
                found[name] = _merge(path, found[name], field)
    # a number that was whole in one row may be too large for the type that all rows need
    for rows in read_chunks() if changed else ():
        for name in changed & set(_names(rows)):
            _convert(path, name, rows, found[name].type)
    return arrow.schema(found.values())


def make_array(values: Sequence[Any], kind: pyarrow.DataType | None) -> pyarrow.Array:
    """The values of a column of JSON; a NaN is a missing value, as null is."""
    return import_pyarrow().array(values, kind, from_pandas=True)


def _names(rows: Sequence[Row]) -> Sequence[str]:
    return tuple(dict.fromkeys(name for row in rows for name in row.values))


def _convert(
    path: Path, name: str, rows: Sequence[Row], kind: pyarrow.DataType | None = None
) -> pyarrow.Array:
    arrow = import_pyarrow()
    values = [row.values.get(name) for row in rows]
    try:
        try:
            return make_array(values, kind)
        except OverflowError:
            if kind is not None:
                raise
            return make_array(values, arrow.uint64())
    except (arrow.ArrowException, TypeError, OverflowError):
        where = f"{rows[0].place} to {rows[-1].place}"
        raise _mixed(path, name, where) from None


def _merge(path: Path, before: pyarrow.Field, after: pyarrow.Field) -> pyarrow.Field:
    arrow = import_pyarrow()
    kinds = (before.type, after.type)
    if set(kinds) == {arrow.int64(), arrow.uint64()}:
        return before.with_type(arrow.uint64())
    try:
        schemas = [arrow.schema([before]), arrow.schema([after])]
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0)
    except arrow.ArrowException:
        raise _mixed(path, before.name, "") from None


def _mixed(path: Path, name: str, where: str) -> ConfigurationError:
    place = f"{path}, {where}" if where else str(path)
    return ConfigurationError(
        f"{place}: {show_name(name)} has values that one column of Parquet cannot hold, "
        f"such as numbers and texts, or numbers that are too large; {_REMEDY}"
    )


def _require_characters(path: Path, rows: Sequence[Row]) -> None:
    """Raise :class:`ConfigurationError` for half of a character, such as a lone surrogate."""
    if _is_encodable([row.values for row in rows]):
        return
    for row in rows:
        for name, value in row.values.items():
            if not _is_encodable({name: value}):
                raise ConfigurationError(
                    f"{path}, {row.place}: {show_name(name)} has half of a character; "
                    f"{_REMEDY}, or mend the text"
                )


def _is_encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
