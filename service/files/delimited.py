"""Rows of CSV and TSV."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator

from valence.service.errors import ConfigurationError
from valence.service.files import delimiters
from valence.service.files.lines import MAX_ROW, TOO_LONG, RowLines, RowTooLong
from valence.service.files.table import Row, Table

# the part of the file that decides on the delimiter
_SAMPLE_LINES = 64
_SAMPLE_CHARACTERS = 2**20


def read_delimited(table: Table, lines: Iterator[str | None], form: str) -> Iterator[Row]:
    """The rows of ``lines`` below their header. Raises :class:`ConfigurationError`."""
    csv.field_size_limit(MAX_ROW)
    sample = list(_take_sample(lines))
    delimiter = delimiters.detect_delimiter(
        [line for line in sample if line is not None], form, columns=table.wanted or ()
    )
    source = RowLines(itertools.chain(sample, lines))
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    head = _read_head(table, reader)
    columns = table.choose_columns(head, "line 1")
    places = [(name, head.index(name)) for name in columns]
    while True:
        place = f"line {source.number + 1}"  # the first line of a row with line breaks
        source.start_row()
        try:
            cells = next(reader, None)
        except RowTooLong:
            yield Row({}, place, TOO_LONG)
            continue
        except csv.Error as error:
            yield Row(
                {},
                place,
                f"{error}; look for an open quotation mark, or one that must be doubled",
            )
            continue
        if cells is None:
            return
        if len(cells) == len(head):
            values = {name: cells[index] for name, index in places}
            yield Row(values, place, size=source.size)
        elif cells:
            fault = (
                f"{len(cells)} fields, the header has {len(head)}; put a field with "
                f"{delimiter!r} or a line break in quotes"
            )
            yield Row(dict(zip(head, cells, strict=False)), place, fault, source.size)


def _read_head(table: Table, reader: Iterator[list[str]]) -> list[str]:
    try:
        return next(reader, [])
    except csv.Error as error:
        raise ConfigurationError(f"{table.path}, line 1: {error}") from None
    except RowTooLong:
        raise ConfigurationError(f"{table.path}, line 1: {TOO_LONG}") from None


def _take_sample(lines: Iterator[str | None]) -> Iterator[str | None]:
    """The first lines; fewer if the lines are long."""
    characters = 0
    for line in itertools.islice(lines, _SAMPLE_LINES):
        yield line
        characters += len(line or "")
        if characters > _SAMPLE_CHARACTERS:
            return
