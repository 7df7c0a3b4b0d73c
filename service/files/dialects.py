"""Detection of the dialect of a CSV or TSV file from its first rows: delimiter and quotation marks.

Quotation marks have a meaning in most files: they enclose a field, and one within it is doubled. In
others they are characters of the texts, as TSV files of many data sets have them. Read with the
wrong meaning, a text that begins with a quotation mark swallows the rows up to the next one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from valence.service.files.lines import RowLines, RowTooLong

AUTO = "auto"
QUOTINGS = (AUTO, "double", "backslash", "none")
"""How a field has a quotation mark within it. ``none``: quotation marks enclose no fields."""
DELIMITERS = {"csv": ",", "tsv": "\t"}
_KNOWN = (",", ";", "\t", "|")
# the first line of some files, for Excel
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
# the lines that decide on the delimiter
_DELIMITER_LINES = 64
# rows that are read as one so often are rows of a file of tabs without quoting
_MERGES = 3
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')


class Dialect(NamedTuple):
    """How the rows of a file are written.

    ``certain`` is whether the rows seen so far leave no other ``quoting``, or a user chose it.
    ``head_line`` is 1 if the first line names the delimiter, else 0.
    """

    delimiter: str
    quoting: str = "double"
    certain: bool = False
    head_line: int = 0

    def parse(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """The fields of each row of ``lines``; raises :class:`csv.Error` at an invalid one."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_NONE if self.quoting == "none" else csv.QUOTE_MINIMAL,
            escapechar="\\" if self.quoting == "backslash" else None,
            strict=True,
        )

    def splits_each(self, lines: Sequence[str], width: int) -> bool:
        """Whether each of ``lines`` alone has ``width`` fields if quotation marks mean nothing."""
        return all(line.count(self.delimiter) == width - 1 and line.strip() for line in lines)

    def needs_quotes(self, lines: Sequence[str], width: int) -> bool:
        """Whether the ``lines`` of a row of ``width`` fields are no rows without their quotes."""
        return not self.splits_each(lines, width) or (
            len(lines) == 1
            and any(
                _DOUBLED.fullmatch(field) and field != '""'
                for field in lines[0].rstrip("\r\n").split(self.delimiter)
            )
        )


def detect_dialect(
    lines: Sequence[str],
    form: str,
    *,
    columns: Sequence[str] = (),
    quoting: str = AUTO,
    whole: bool = False,
) -> Dialect:
    """The dialect of a file that begins with ``lines``, or has no others if they are the ``whole``.

    ``quoting`` is that of the file, unless it is "auto".
    """
    head_line = 0
    named = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if named is not None:
        head_line, lines = 1, lines[1:]
    given = quoting != AUTO
    tried = Dialect("", quoting if given else "double", given, head_line)
    delimiter = (
        named[1] if named else _detect_delimiter(lines[:_DELIMITER_LINES], form, columns, tried)
    )
    dialect = tried._replace(delimiter=delimiter)
    return dialect if given else _detect_quoting(lines, dialect, whole=whole)


def _detect_delimiter(
    lines: Sequence[str], form: str, columns: Sequence[str], tried: Dialect
) -> str:
    """The delimiter of rows that begin with ``lines``.

    The first criterion is that the header has all ``columns``. The second is the share of rows with
    as many fields as the header, if it has two or more. The third is that the delimiter is that of
    the format ``form``. The last row may be cut off and does not count.
    """
    quotings = {tried.quoting} if tried.certain else {"double", "none"}

    def rate(delimiter: str) -> tuple[bool, float, bool, int]:
        return max(
            rate_dialect(Dialect(delimiter, quoting), delimiter == DELIMITERS.get(form))
            for quoting in quotings
        )

    def rate_dialect(dialect: Dialect, usual: bool) -> tuple[bool, float, bool, int]:
        head, rows = _read_rows(lines, dialect)
        splits = len(head) > 1
        matching = sum(len(row) == len(head) for row in rows) / len(rows) if rows else 1.0
        has_columns = splits and all(name in head for name in columns)
        return has_columns, matching if splits else -1.0, usual, len(head)

    return max(_KNOWN, key=rate)


def _read_rows(lines: Sequence[str], dialect: Dialect) -> tuple[list[str], list[list[str]]]:
    """The header and the rows before the first faulty one."""
    rows = [cells for _, cells in _parse_each(lines, dialect, until_fault=True) if cells]
    return (rows[0], rows[1:-1] or rows[1:]) if rows else ([], [])


def _detect_quoting(lines: Sequence[str], dialect: Dialect, *, whole: bool) -> Dialect:
    """``dialect`` with the quoting that rows that begin with ``lines`` need.

    A row that is whole only with its quotes decides. Without one, quotation marks mean nothing if
    they make rows faulty, or if they make one row of lines that are rows themselves: more than once
    in a file of tabs, or while other texts have them in the middle. Unless the lines are the
    ``whole`` file, the last row may be cut off.
    """
    if not any('"' in line for line in lines):
        return dialect
    rows = _parse_each(lines, dialect)
    head, names = next(rows, ([], None))
    if not names:
        return dialect
    if any(
        len(field) > 1 and field[0] == field[-1] == '"'
        for field in head[0].rstrip("\r\n").split(dialect.delimiter)
    ):
        return dialect._replace(certain=True)
    faults = merges = loose = 0
    for of_row, cells in rows if whole else _leave_out_last(rows):
        if '"' not in of_row[0]:
            continue
        sound = cells is not None and len(cells) == len(names)
        if sound and dialect.needs_quotes(of_row, len(names)):
            return dialect._replace(certain=True)
        if dialect.splits_each(of_row, len(names)):
            faults += cells is None
            merges += len(of_row) > 1
            loose += len(of_row) == 1 and any(
                '"' in field and not field.startswith('"')
                for field in of_row[0].split(dialect.delimiter)
            )
    several = loose > 0 or (dialect.delimiter == "\t" and merges >= _MERGES)
    if faults or (merges and several):
        return dialect._replace(quoting="none", certain=True)
    return dialect


_Parsed = tuple[list[str], list[str] | None]


def _leave_out_last(rows: Iterator[_Parsed]) -> Iterator[_Parsed]:
    before = next(rows, None)
    for row in rows:
        if before is not None:
            yield before
        before = row


def _parse_each(
    lines: Sequence[str], dialect: Dialect, *, until_fault: bool = False
) -> Iterator[_Parsed]:
    """The lines and the fields of each row; None for the fields of a faulty row."""
    source = RowLines(iter(lines))
    reader = dialect.parse(source)
    while True:
        source.start_row()
        try:
            cells = next(reader, None)
        except (csv.Error, RowTooLong):
            if until_fault:
                return
            yield list(source.row), None
            continue
        if cells is None:
            return
        if cells:
            yield list(source.row), cells
