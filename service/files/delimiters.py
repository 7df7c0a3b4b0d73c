"""What separates the fields of a CSV or TSV file, told from its first rows."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence

DELIMITERS = {"csv": ",", "tsv": "\t"}
_KNOWN = (",", ";", "\t", "|")


def detect_delimiter(lines: Sequence[str], form: str, *, columns: Sequence[str] = ()) -> str:
    """The delimiter of a file that begins with ``lines``: that of its ``form`` if no other is.

    The one with which the header names the ``columns``; then the one with which most rows have as
    many fields as the header, two or more. The last row may be cut off and does not count.
    """

    def fits(delimiter: str) -> tuple[bool, float, bool, int]:
        head, rows = _read(lines, delimiter)
        whole = len(head) > 1
        same = sum(len(row) == len(head) for row in rows) / len(rows) if rows else 1.0
        named = whole and all(name in head for name in columns)
        return named, same if whole else -1.0, delimiter == DELIMITERS[form], len(head)

    return max(_KNOWN, key=fits)


def _read(lines: Sequence[str], delimiter: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows; those up to a faulty one."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        # a blank line is no row
        rows.extend(filter(None, csv.reader(lines, delimiter=delimiter, strict=True)))
    return (rows[0], rows[1:-1] or rows[1:]) if rows else ([], [])
