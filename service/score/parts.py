"""Encode scored rows as parts of a file, and join parts to a file, in any format."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files.dialects import DELIMITERS
from valence.service.files.parquet import import_pyarrow


def encode_part(rows: Sequence[dict[str, Any]], columns: Sequence[str], form: str) -> bytes:
    """``rows`` as a part of a file.

    Raises :class:`ConfigurationError` for a row with a column that ``columns`` does not have.
    """
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(
            "utf-8", "surrogatepass"
        )
    for row in rows:
        for name in row.keys() - set(columns):
            raise ConfigurationError(
                f"the first row does not have the column {name!r}, which a table requires; write "
                "JSON Lines (.jsonl)"
            )
    if form == "parquet":
        table = import_pyarrow().table({name: [row.get(name) for row in rows] for name in columns})
        sink = io.BytesIO()
        import_pyarrow().parquet.write_table(table, sink)
        return sink.getvalue()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=DELIMITERS[form], lineterminator="\n")
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def join_parts(
    parts: Sequence[Path], out: Path, columns: Sequence[str], form: str, *, gz: bool
) -> None:
    """Join ``parts`` to the file ``out``: the same parts give the same bytes."""
    if form == "parquet":
        _join_parquet(parts, out)
        return
    with out.open("wb") as file:
        # without name and time in the head of a gzip file, so that equal parts give equal bytes
        sink: Any = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if gz else file
        if form in DELIMITERS:
            head = dict(zip(columns, columns, strict=True))
            sink.write(encode_part([head], columns, form))
        for piece in parts:
            sink.write(piece.read_bytes())
        if gz:
            sink.close()


def _join_parquet(parts: Sequence[Path], out: Path) -> None:
    arrow = import_pyarrow()
    parquet = arrow.parquet
    # a column may have only nulls in one part, and a type in another
    schemas = [parquet.read_schema(piece) for piece in parts]
    schema = arrow.unify_schemas(schemas, promote_options="permissive")
    with parquet.ParquetWriter(out, schema) as writer:
        for piece in parts:
            writer.write_table(parquet.read_table(piece, memory_map=True).cast(schema))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
