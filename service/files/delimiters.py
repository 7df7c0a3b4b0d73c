"""Detection of the delimiter of a CSV or TSV file from its first rows."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence

DELIMITERS = {"csv": ",", "tsv": "\t"}
_KNOWN = (",", ";", "\t", "|")


def detect_delimiter(lines: Sequence[str], form: str, *, columns: Sequence[str] = ()) -> str:
    """The delimiter of a file that begins with ``lines``.

    The first criterion is that the header has all ``columns``. The second is the share of rows with
    as many fields as the header, if it has two or more. The third is that the delimiter is that of
    the format ``form``. The last row may be cut off and does not count.
    """

    def rate(delimiter: str) -> tuple[bool, float, bool, int]:
        head, rows = _read_rows(lines, delimiter)
        splits = len(head) > 1
        matching = sum(len(row) == len(head) for row in rows) / len(rows) if rows else 1.0
        has_columns = splits and all(name in head for name in columns)
        return has_columns, matching if splits else -1.0, delimiter == DELIMITERS[form], len(head)

    return max(_KNOWN, key=rate)


def _read_rows(lines: Sequence[str], delimiter: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows before the first faulty one."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        # a blank line is not a row
        rows.extend(filter(None, csv.reader(lines, delimiter=delimiter, strict=True)))
    return (rows[0], rows[1:-1] or rows[1:]) if rows else ([], [])
