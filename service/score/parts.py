"""The layout of the file of scores: encode parts of it, and join the parts."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.dialects import DELIMITERS
from valence.service.files.parquet import import_pyarrow
from valence.service.score.arrays import make_columns, make_schema
from valence.service.score.plain_values import find_obstacle
from valence.service.score.sources import Part, Source
from valence.service.score.texts import Scores, TextScorer

if TYPE_CHECKING:
    import pyarrow

# most values: the writer of CSV writes them as they are
_PLAIN = frozenset({str, float, int, type(None)})
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Layout:
    """The columns of OUT: those of IN with their types, then those of the scores.

    ``added`` has the names of the scores in OUT. ``schema`` is that of IN, for Parquet.
    """

    form: str
    columns: Sequence[str]
    added: Mapping[str, str]
    schema: pyarrow.Schema | None = None
    scores: Sequence[pyarrow.Field] = ()
    """The columns of the scores, for Parquet."""

    def encode(self, part: Part, scores: Scores) -> bytes:
        """A part of the file."""
        if self.form == "parquet":
            return self._encode_table(part, scores)
        pairs = zip(part.to_rows(), scores, strict=True)
        if self.form == "jsonl":
            added = tuple(self.added.values())
            rows = (row | dict(zip(added, values, strict=True)) for row, values in pairs)
            return b"".join(map(_encode_json, rows))
        columns = self.columns
        return _encode_delimited(
            ([*map(row.get, columns), *values] for row, values in pairs), self.form
        )

    def join(self, parts: Sequence[Path], out: Path, *, gz: bool) -> None:
        """Join ``parts`` to the file ``out``: the same parts give the same bytes."""
        if self.form == "parquet":
            self._join_tables(parts, out)
            return
        with out.open("wb") as file:
            # without name and time in the head of a gzip file, so that equal parts give equal bytes
            sink: Any = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if gz else file
            if self.form in DELIMITERS:
                sink.write(_encode_delimited([self._names()], self.form))
            for piece in parts:
                sink.write(piece.read_bytes())
            if gz:
                sink.close()

    def _names(self) -> list[str]:
        return [*self.columns, *self.added.values()]

    def _encode_table(self, part: Part, scores: Scores) -> bytes:
        arrow = import_pyarrow()
        table = part.to_table(self.schema)
        for column, field in zip(make_columns(scores, self.scores), self.scores, strict=True):
            table = table.append_column(field, column)
        sink = io.BytesIO()
        arrow.parquet.write_table(table, sink)
        return sink.getvalue()

    def _join_tables(self, parts: Sequence[Path], out: Path) -> None:
        parquet = import_pyarrow().parquet
        with parquet.ParquetWriter(out, self._table_schema()) as writer:
            for piece in parts:
                writer.write_table(parquet.read_table(piece, schema=self._table_schema()))

    def _table_schema(self) -> pyarrow.Schema:
        schema: Any = self.schema
        for field in self.scores:
            schema = schema.append(field)
        return schema


def plan_layout(
    source: Source, scorer: TextScorer, path: Path, *, form: str, prefix: str
) -> Layout:
    """The layout for the file ``path``, which ``source`` reads.

    Raises :class:`ConfigurationError`, by column, for what a file of this form cannot hold.
    """
    added = {name: f"{prefix}{name}" for name in scorer.columns}
    for name in source.columns:
        if name in added.values():
            raise ConfigurationError(
                f"{path} already has a column {name!r}; set a prefix for the added columns, such "
                "as --prefix predicted_"
            )
    if form != "parquet":
        _require_plain(source.schema, path, form)
        return Layout(form, source.columns, added)
    _require_writable(source.schema, path)
    scores = [field.with_name(added[field.name]) for field in make_schema(scorer)]
    return Layout(form, source.columns, added, source.schema, scores)


def _require_plain(schema: pyarrow.Schema | None, path: Path, form: str) -> None:
    for field in schema or ():
        obstacle = find_obstacle(field.type)
        if obstacle:
            raise ConfigurationError(
                f"{path}: the column {field.name!r} has {obstacle}, which {form.upper()} cannot "
                "hold; write Parquet (.parquet), or leave the column out of the input"
            )


def _require_writable(schema: pyarrow.Schema | None, path: Path) -> None:
    arrow = import_pyarrow()
    for field in schema or ():
        alone = arrow.schema([field])
        try:
            arrow.parquet.write_table(alone.empty_table(), io.BytesIO())
        except arrow.ArrowException:
            raise ConfigurationError(
                f"{path}: the column {field.name!r} has values of the type {field.type}, which "
                "Parquet cannot hold; write JSON Lines (.jsonl)"
            ) from None


class _Lines(list[str]):
    """Lines of CSV that end in a line feed alone, with carriage returns in quotes."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def _encode_delimited(rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]], form: str) -> bytes:
    lines = _Lines()
    # the writer puts the characters of its line end in quotes, and each row is one call of `write`
    writer = csv.writer(lines, delimiter=DELIMITERS[form], lineterminator="\r\n")
    writer.writerows(
        [value if type(value) in _PLAIN else _cell(value) for value in row] for row in rows
    )
    return "".join(lines).encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _encode_json(value).decode().rstrip("\n") if isinstance(value, dict | list) else value


def _encode_json(value: Any) -> bytes:
    try:
        text = _ENCODER.encode(value)
    except ValueError:
        return _encode_json(_replace_non_finite(value))
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        # half of a character, which JSON can hold as an escape
        return json.dumps(value, allow_nan=False).encode() + b"\n"


def _replace_non_finite(value: Any) -> Any:
    """``value`` with null for a NaN, and the name of an infinity: JSON has no such numbers."""
    if isinstance(value, dict):
        return {name: _replace_non_finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_replace_non_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
