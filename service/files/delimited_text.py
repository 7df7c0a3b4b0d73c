"""Rows of CSV and TSV."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence

from valence.service.errors import ConfigurationError
from valence.service.files import dialects
from valence.service.files.dialects import Dialect
from valence.service.files.fault import ENDS, FIELDS, QUOTES, SOUND, Fault
from valence.service.files.lines import MAX_ROW, TOO_LONG, RowLines, RowTooLong
from valence.service.files.table import Row, Table
from valence.service.files.text import Text

# the part of the file that decides on the dialect
_SAMPLE_LINES = 4096
_SAMPLE_CHARACTERS = 2**20
_HEADER_LINES = 64
_OPEN = "look for an open quotation mark, or one that must be doubled (see --quoting)"
# an open quotation mark in a line makes the parser read until the end of the file
_UNCLOSED = "unexpected end of data"
# of a field without quotation marks
_LONE_RETURN = "new-line character seen"
_MIXED_ENDS = Fault(
    "a carriage return is within the line; all lines must end in one way, so save the file with "
    "line feeds",
    ENDS,
)


def read_delimited(table: Table, text: Text, form: str, quoting: str) -> Iterator[Row]:
    """The rows of ``text`` below their header. Raises :class:`ConfigurationError`."""
    csv.field_size_limit(MAX_ROW)
    lines = text.read_lines(text.find_line_end(quotes=True))
    sample = list(_take_sample(lines))
    known = [line for line in sample if line is not None]
    whole = len(sample) < _SAMPLE_LINES and sum(map(len, known)) <= _SAMPLE_CHARACTERS
    dialect = dialects.detect_dialect(
        known, form, columns=table.wanted or (), quoting=quoting, whole=whole
    )
    source = RowLines(itertools.chain(sample, lines))
    for _ in range(dialect.head_line):
        next(source)
    return _DelimitedRows(table, text, source, dialect).read(known)


class _DelimitedRows:
    """Reads the rows of a ``source`` of lines in one dialect."""

    def __init__(self, table: Table, text: Text, source: RowLines, dialect: Dialect) -> None:
        self._table = table
        self._text = text
        self._source = source
        self._dialect = dialect
        self._reader = dialect.parse(source)

    def read(self, sample: Sequence[str]) -> Iterator[Row]:
        """Each row below the header; ``sample`` are the first lines."""
        head, columns = self._read_head(sample)
        width = len(head)
        places = [(name, head.index(name)) for name in columns]
        source, text, reader = self._source, self._text, self._reader
        lines = source.row
        certain = self._dialect.certain and self._dialect.quoting != "none"
        while True:
            first = source.start_row()  # of a row with line breaks
            try:
                cells = next(reader, None)
            except (RowTooLong, csv.Error) as error:
                yield self._explain_fault(error, first)
                continue
            if cells is None:
                return
            if not cells:
                continue
            # a row of several lines has a quotation mark in the first one
            if not certain and '"' in lines[0]:
                certain = self._check_quotes(cells, first, width)
            size = len(lines[0]) if len(lines) == 1 else source.size
            damage = text.find_damage("".join(lines)) if text.damaged else SOUND
            if damage or len(cells) != width:
                fault = damage or self._explain_width(cells, first, width)
                sound = {
                    name: cell
                    for name, cell in zip(head, cells, strict=False)
                    if name in columns and not text.find_damage(cell)
                }
                yield Row(sound, f"line {first}", fault, size)
            else:
                values = {name: cells[index] for name, index in places}
                yield Row(values, f"line {first}", SOUND, size)

    def _read_head(self, sample: Sequence[str]) -> tuple[list[str], Sequence[str]]:
        table, head = self._table, None
        while not head:  # a line may be blank
            place = f"line {self._source.start_row()}"
            try:
                head = next(self._reader, None)
            except csv.Error as error:
                raise ConfigurationError(f"{table.path}, {place}: {_name_fault(error)}") from None
            except RowTooLong:
                raise ConfigurationError(f"{table.path}, {place}: {TOO_LONG}") from None
            if head is None:
                raise ConfigurationError(f"{table.path}: the file is empty")
        damage = self._text.find_damage("".join(head))
        if damage:
            raise ConfigurationError(f"{table.path}, {place}: {damage}")
        below = [
            line.rstrip("\r\n").split(self._dialect.delimiter)
            for line in sample[self._source.number : self._source.number + _HEADER_LINES]
        ]
        return head, table.choose_columns_of_header(head, place, below)

    def _explain_fault(self, error: Exception, first: int) -> Row:
        if isinstance(error, RowTooLong) or _UNCLOSED in str(error):
            # the lines below the open quotation mark are rows
            self._source.return_lines()
        fault = TOO_LONG if isinstance(error, RowTooLong) else _name_fault(error)
        return Row({}, f"line {first}", Fault(fault + self._name_lines(first), fault.kind))

    def _explain_width(self, cells: Sequence[str], first: int, width: int) -> Fault:
        delimiter = self._dialect.delimiter
        if len(cells) == width + 1 and not cells[-1]:
            remedy = f"end the header with {delimiter!r} too, or no row"
        elif self._dialect.quoting == "none":
            remedy = f"remove {delimiter!r} from the texts, or set --quoting double"
        else:
            remedy = f"put a field with {delimiter!r} or a line break in quotes"
        told = f"{len(cells)} fields, the header has {width}; {remedy}{self._name_lines(first)}"
        return Fault(told, FIELDS)

    def _name_lines(self, first: int) -> str:
        last = self._source.number
        return f"; the lines {first} to {last} were read as one row" if last > first else ""

    def _check_quotes(self, cells: Sequence[str], first: int, width: int) -> bool:
        """Whether a row proves that quotation marks enclose fields.

        Raises :class:`ConfigurationError` for a row that can be read in two ways.
        """
        dialect, lines = self._dialect, self._source.row
        if dialect.quoting == "none":
            if len(cells) != width and self._is_quoted(lines, width):
                raise ConfigurationError(
                    f"{self._table.path}, line {first}: quotation marks enclose a field here, and "
                    "rows above are faulty if they do; set --quoting double, or none to read them "
                    "as characters of the texts"
                )
            return False
        if len(cells) == width and dialect.needs_quotes(lines, width):
            return True
        if len(lines) > 1 and dialect.splits_each(lines, width):
            raise ConfigurationError(
                f"{self._table.path}, line {first}: the quotation mark that opens a field here is "
                f"closed in line {self._source.number}, and each of these lines is a row by "
                "itself; set --quoting none if quotation marks are characters of the texts, else "
                "--quoting double"
            )
        return False

    def _is_quoted(self, lines: Sequence[str], width: int) -> bool:
        try:
            row = next(self._dialect._replace(quoting="double").parse(iter(lines)), [])
        except csv.Error:
            return False
        return len(row) == width


def _name_fault(error: Exception) -> Fault:
    if _LONE_RETURN in str(error):
        return _MIXED_ENDS
    return Fault(f"{error}; {_OPEN}", QUOTES)


def _take_sample(lines: Iterator[str | None]) -> Iterator[str | None]:
    """The first lines; fewer if the lines are long."""
    characters = 0
    for line in itertools.islice(lines, _SAMPLE_LINES):
        yield line
        characters += len(line or "")
        if characters > _SAMPLE_CHARACTERS:
            return
