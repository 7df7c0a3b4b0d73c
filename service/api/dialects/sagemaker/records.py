"""The texts of a body with one text per line: JSON lines and CSV.

Blank lines get no answer, and count in the numbers of lines, which begin at 1: so do those of
``POST /v1/classify/stream``. A row of CSV has the number of the line on which it begins.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict
from valence.service.api.http.scoring import TURN_TEXTS, faults_of_length
from valence.service.api.http.validation import BYTE_ORDER_MARK, parse
from valence.service.errors import InvalidRequest, MalformedBody
from valence.service.settings import Settings

# the column with the texts, in files for the Hugging Face toolkit of SageMaker
TEXT_COLUMN = "inputs"
# the columns that a file may have beside that of the texts
_COLUMNS_PER_TEXT = 64
_QUOTED_OR_COMMA = re.compile(r'"[^"]*+(?:""[^"]*+)*+"?|,')
# Blank lines are read so many at a time, before other requests get a turn.
_TURN_LINES = 2_000

Row = TypeVar("Row")


class Line(BaseModel):
    """One line of ``application/jsonlines``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    inputs: str


class Records(NamedTuple):
    """The texts of a body, the line of each, and whether the body begins with a header."""

    texts: list[str]
    lines: list[int]
    has_header: bool = False


async def read_json_lines(body: bytes, settings: Settings) -> Records:
    """The texts of JSON lines; raises :class:`MalformedBody` or :class:`InvalidRequest`."""
    # only a line feed ends a line, because a text may have any other separator
    lines = io.BytesIO(body)
    rows = await _collect(lambda: next(lines, None), _is_blank, settings.max_texts)
    texts = []
    for number, line in rows:
        try:
            texts.append(parse(Line, line).inputs)
        except MalformedBody as error:
            raise MalformedBody(f"line {number}: {error}") from None
        except InvalidRequest as error:
            raise InvalidRequest.for_field(f"line.{number}", str(error)) from None
        if not len(texts) % TURN_TEXTS:
            await asyncio.sleep(0)
    return _require_texts(Records(texts, [number for number, _ in rows]), settings)


async def read_csv(body: bytes, settings: Settings, *, header: bool | None = None) -> Records:
    """The texts of CSV: of its only column, or of the column ``inputs`` below a header.

    ``header`` says whether the first row is a header. None: the first row is a header if it has a
    column ``inputs``, which the Hugging Face toolkit requires. Other columns are left out. Raises
    :class:`MalformedBody` or :class:`InvalidRequest`.
    """
    try:
        text = body.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        raise MalformedBody("the body is not UTF-8; send CSV in UTF-8") from None
    _require_few_columns(text, settings.max_texts)
    # the module's own limit, which is one for the process, is lower than that of a text
    csv.field_size_limit(settings.max_body_bytes)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def next_row() -> list[str] | None:
        begins = reader.line_num + 1
        try:
            return next(reader, None)
        except csv.Error as error:
            raise MalformedBody(
                f"line {begins}: not CSV: {error}; look for an open quotation mark, or one that "
                "must be doubled"
            ) from None

    rows = await _collect(
        next_row,
        lambda row: not row,
        settings.max_texts,
        line=lambda: reader.line_num + 1,
    )
    column, columns, has_header = _find_column(rows, header)
    if has_header:
        del rows[0]
    elif len(rows) > settings.max_texts:
        raise _too_many(settings.max_texts)
    for number, row in rows:
        if len(row) != columns:
            there = f"the header has {columns}" if has_header else "there must be one, the text"
            _refuse_line(number, f"{len(row)} columns, {there}; put a text with commas in quotes")
    texts = [row[column] for _, row in rows]
    return _require_texts(Records(texts, [number for number, _ in rows], has_header), settings)


def _require_few_columns(text: str, max_texts: int) -> None:
    """Raise :class:`InvalidRequest` for so many commas that one row would hold the event loop."""
    most = _COLUMNS_PER_TEXT * max_texts
    if text.count(",") > most and any(islice(_QUOTED_OR_COMMA.finditer(text), most, None)):
        raise InvalidRequest.for_field(
            "body",
            f"more than {most} columns in all rows together; send the column of the texts alone, "
            "and put a text with commas in quotes",
        )


def _find_column(rows: list[tuple[int, list[str]]], header: bool | None) -> tuple[int, int, bool]:
    """The column of the texts, the number of columns, and whether the first row is a header."""
    if header is False or not rows:
        return 0, 1, False
    number, names = rows[0]
    if names.count(TEXT_COLUMN) == 1:
        return names.index(TEXT_COLUMN), len(names), True
    if TEXT_COLUMN in names:
        _refuse_line(number, f"two columns are called {TEXT_COLUMN}; rename one")
    if header and len(names) > 1:
        _refuse_line(
            number,
            f"the header has {len(names)} columns, and none is called {TEXT_COLUMN}; name the "
            "column of the texts so",
        )
    return 0, 1, bool(header)


async def _collect(
    next_row: Callable[[], Row | None],
    is_blank: Callable[[Row], bool],
    max_texts: int,
    *,
    line: Callable[[], int] | None = None,
) -> list[tuple[int, Row]]:
    """All rows but blank ones, each with the line on which it begins.

    Raises :class:`InvalidRequest` as soon as there are more rows than ``max_texts`` and a header.
    ``line`` is the number of the line that comes next; without it each row is a line, and none is a
    header.
    """
    rows: list[tuple[int, Row]] = []
    limit = max_texts if line is None else max_texts + 1
    count = 0
    while True:
        count += 1
        number = count if line is None else line()
        row = next_row()
        if row is None:
            return rows
        if not is_blank(row):
            if len(rows) == limit:
                raise _too_many(max_texts)
            rows.append((number, row))
        if not count % _TURN_LINES:
            await asyncio.sleep(0)


def _too_many(max_texts: int) -> InvalidRequest:
    return InvalidRequest.for_field(
        "line", f"more than the {max_texts} texts that a request may have; send several requests"
    )


def _require_texts(records: Records, settings: Settings) -> Records:
    """``records``, if there is a text and no text is too long."""
    if not records.texts:
        raise InvalidRequest.for_field("body", "the body is empty; send one text per line")
    for index, message in faults_of_length(records.texts, settings).items():
        _refuse_line(records.lines[index], message)
    return records


def _refuse_line(number: int, message: str) -> NoReturn:
    raise InvalidRequest.for_field(f"line.{number}", message)


def _is_blank(line: bytes) -> bool:
    return line.isspace()
