"""Rows of the sheet of an Excel workbook; its cells are read as texts, as those of CSV are."""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from types import ModuleType
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files.fault import FIELDS, SOUND, Fault
from valence.service.files.table import Row, Table

# what Excel can hold
_MAX_ROWS = 2**20
_MAX_COLUMNS = 2**14
# a sheet whose first rows are empty is an empty sheet
_MAX_HEAD_ROW = 1_000
# a cell to the right of the table is looked for up to this column
_MIN_COLUMNS = 256
# the strings of a workbook are in memory together
_MAX_BYTES = 2**29
_SAMPLE_ROWS = 64
_ROWS_AT_ONCE = 256
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_workbook(table: Table) -> Iterator[Row]:
    """The rows of the only sheet of ``table`` with rows, or with the wanted columns.

    Raises :class:`ConfigurationError`.
    """
    openpyxl = _import_openpyxl(table)
    try:
        table.file = table.path.open("rb")
        table.size = table.path.stat().st_size
        _bound(table)
        with table.file:
            with _quiet():
                book = openpyxl.load_workbook(table.file, read_only=True, data_only=True)
            with closing(book):
                yield from _read_sheet(table, *_choose_sheet(table, book.worksheets))
    except ConfigurationError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ConfigurationError(f"{table.path}: cannot be read: {error.strerror}") from None
        # the library raises errors of many classes for a damaged workbook
        raise ConfigurationError(
            f"{table.path}: cannot be read as an Excel workbook ({type(error).__name__}); save it "
            "anew, or as CSV"
        ) from None


def _import_openpyxl(table: Table) -> ModuleType:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"{table.path}: Excel workbooks need openpyxl, which is not installed: pip install "
            "'valence[score]', or save the sheet as CSV"
        ) from None
    module: ModuleType = openpyxl
    return module


def _bound(table: Table) -> None:
    """Refuse a workbook that unpacks to more than :data:`_MAX_BYTES`; it cannot exceed its head."""
    with zipfile.ZipFile(table.path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_BYTES:
        raise ConfigurationError(
            f"{table.path}: the workbook unpacks to {size:,} bytes, more than {_MAX_BYTES:,}; save "
            "it as CSV"
        )


def _choose_sheet(table: Table, sheets: Sequence[Any]) -> tuple[Any, int, list[str]]:
    """The sheet to read, and the number and the cells of its first row that is not empty."""
    for sheet in sheets:
        # files state wrong dimensions, which would cut the rows
        sheet.reset_dimensions()
    heads = [(sheet, *_read_head(sheet)) for sheet in sheets]
    full = [found for found in heads if found[2]]
    if len(full) > 1 and table.wanted is not None:
        having = [found for found in full if all(name in found[2] for name in table.wanted)]
        full = having or full
    if not full:
        raise ConfigurationError(f"{table.path}: the file is empty")
    if len(full) > 1:
        names = ", ".join(repr(sheet.title) for sheet, _, _ in full[:5])
        raise ConfigurationError(
            f"{table.path}: {len(full)} sheets have rows ({names}); save one as a file of its own"
        )
    return full[0]


def _read_head(sheet: Any) -> tuple[int, list[str]]:
    rows = sheet.iter_rows(max_row=_MAX_HEAD_ROW, max_col=_MAX_COLUMNS, values_only=True)
    for number, cells in enumerate(_take_quietly(rows, 1), 1):
        if cells.count(None) < len(cells):
            head = [_read_cell(cell) for cell in cells]
            while head and not head[-1]:
                head.pop()
            return number, head
    return 0, []


def _read_sheet(table: Table, sheet: Any, top: int, head: Sequence[str]) -> Iterator[Row]:
    width = len(head)
    below = [
        [_read_cell(cell) for cell in cells]
        for cells in islice(_iterate(sheet, width), top, top + _SAMPLE_ROWS)
    ]
    columns = table.choose_columns_of_header(head, f"row {top}", below)
    places = [(name, head.index(name)) for name in columns]
    rows = _iterate(sheet, min(_MAX_COLUMNS, max(_MIN_COLUMNS, width + 1)))
    for number, raw in enumerate(rows, 1):
        beyond = len(raw) - width - raw[width:].count(None)
        cells = [_read_cell(cell) for cell in raw[:width]]
        if number <= top or not (beyond or any(cells)):
            continue
        values = {name: cells[index] for name, index in places}
        told = f"{beyond} cells are beyond the header, which has {width}"
        fault = Fault(told, FIELDS) if beyond > 0 else SOUND
        yield Row(values, f"row {number}", fault, sum(map(len, cells)))


def _iterate(sheet: Any, width: int) -> Iterator[tuple[Any, ...]]:
    rows = sheet.iter_rows(max_row=_MAX_ROWS, max_col=width, values_only=True)
    return _take_quietly(rows, _ROWS_AT_ONCE)


def _take_quietly(rows: Iterator[tuple[Any, ...]], at_once: int) -> Iterator[tuple[Any, ...]]:
    while True:
        with _quiet():
            found = list(islice(rows, at_once))
        if not found:
            return
        yield from found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of the library, which are about what is not a cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read_cell(value: Any) -> str:
    if isinstance(value, str):
        # Excel writes characters that XML lacks like that
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
