"""Files of tables: written by the libraries that users have, read by our readers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from valence.service.files import formats
from valence.service.files.rows import Rows


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write ``rows`` in the format that the name tells."""
    form = formats.require_output_format(path)
    if form == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    text = io.StringIO(newline="")
    if form == "jsonl":
        text.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        delimiter = {"csv": ",", "tsv": "\t"}[form]
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The values of the rows of a file."""
    with closing(Rows(path, formats.require_format(path))) as rows:
        return [row.values for row in rows]
