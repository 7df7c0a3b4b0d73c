"""Random tables in every format, dialect, encoding and compression are read back, or refused.

``pytest tests/service/files/test_round_trips.py -m slow -s`` tries :data:`MANY` of them, or as many
as ``TABLES=`` says, and tells how many were read and refused.
"""

from __future__ import annotations

import csv
import os
import random
import re
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valence.service.errors import ConfigurationError
from valence.service.files.formats import require_format
from valence.service.files.rows import Rows

from tests.support.table_files import (
    PACKERS,
    pack_zip,
    write_csv,
    write_json,
    write_parquet,
    write_workbook,
)

MANY = int(os.environ.get("TABLES", "20000"))
CANARY = "zanzibar"
NAMES = ("text", "label", "id", "größe", "Long name")
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
LEGACY = {
    "cp1252": "éüß",
    "cp1251": "фильм",
    "koi8_r": "фильм",
    "cp932": "映画です",
    "gb18030": "电影好看上",
    "big5": "電影好看",
}
WORDS = (
    *(CANARY, "good", "bad film", "a", "7", "1.0", "nan", " ", "  ", "'", "\\", '"', '""'),
    *(",", ";", "\t", "|", "#", "=", "sep=;", "{", "[", "\N{BOM}", "\x85", "\u2028", "\v", "\0"),
    *('"good" film', 'say "x"', '"open', 'close"', "it's", "C:\\n", "<b>", "&amp;", "é"),
)
BREAKS = ("\n", "\r\n", "\r", "\n\n")
CELLS = 600


@dataclass(frozen=True)
class Case:
    """The content of a file, and what a reader is told of it."""

    records: list[dict[str, str]]
    name: str
    content: bytes
    encoding: str = "auto"
    quoting: str = "auto"
    quoted: bool = True


@cache
def cells(encoding: str, breaks: bool) -> st.SearchStrategy[str]:
    """Texts of words that are hard to read, drawn from a list, because 20,000 tables need many."""
    chosen = random.Random(7)
    letters = LEGACY.get(encoding, "中文\N{GRINNING FACE}ñ上一")
    words = [*WORDS, *letters, *(BREAKS * 3 if breaks else ())]
    made = {"": None, **dict.fromkeys(words)}
    while len(made) < CELLS:
        made["".join(chosen.choices(words, k=chosen.randint(2, 5)))] = None
    return st.sampled_from([text for text in made if is_encodable(text, encoding)])


def is_encodable(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


@st.composite
def cases(draw):
    form = draw(st.sampled_from(["csv", "csv", "tsv", "tsv", "jsonl", "jsonl", "parquet", "xlsx"]))
    columns = draw(st.permutations(NAMES).map(lambda names: names[: len(names) - 2]))
    columns = list(dict.fromkeys(["text", *columns]))
    columns = draw(st.permutations(columns))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", *UNICODE, *LEGACY]))
    if form in ("parquet", "xlsx"):
        encoding = "utf-8"
    quoted = form not in ("csv", "tsv") or draw(st.integers(0, 3)) > 0
    cell = cells(encoding, quoted)
    columns = [name for name in columns if is_encodable(name, encoding)]
    rows = draw(st.lists(st.lists(cell, min_size=len(columns), max_size=len(columns)), max_size=6))
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    packing = draw(st.sampled_from(["", *PACKERS]))
    if form == "parquet":
        return Case(records, "a.parquet", write_parquet(columns, records))
    if form == "xlsx":
        # what a workbook cannot hold, and rows without any cell
        records = [
            {name: re.sub("[\\0\\v\\x85]", "", text) for name, text in record.items()}
            for record in records
        ]
        records = [record for record in records if any(record.values())]
        table = [columns, *(list(record.values()) for record in records)]
        return Case(records, draw(st.sampled_from(["a.xlsx", "a.csv"])), write_workbook(table))
    quoting = "auto"
    if form == "jsonl":
        layout = draw(st.sampled_from(["lines", "array", "pretty", "objects"]))
        text = write_json(records, layout, ascii_only=draw(st.booleans()))
        name = draw(st.sampled_from(["a.jsonl", "a.json", "a.ndjson"]))
    elif quoted:
        end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
        style = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
        delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
        text = write_csv(columns, records, delimiter=delimiter, quoting=style, lineterminator=end)
        if draw(st.integers(0, 4)) == 0:
            text = f"sep={delimiter}{end}{text}"
        quoting = draw(st.sampled_from(["auto", "auto", "double"]))
        name = f"a.{form}"
    else:
        delimiter = draw(st.sampled_from([",", "\t", "\t", ";", "|"]))
        end = draw(st.sampled_from(["\n", "\r\n"]))
        records = [
            {name: text.replace(delimiter, "_") for name, text in record.items()}
            for record in records
        ]
        lines = [columns, *(list(record.values()) for record in records)]
        text = "".join(delimiter.join(line) + end for line in lines)
        quoting = draw(st.sampled_from(["auto", "none"]))
        name = f"a.{form}"
    told = encoding if encoding in LEGACY else draw(st.sampled_from(["auto", "auto", encoding]))
    content = text.encode(encoding)
    packed = pack_zip(content, name) if packing == ".zip" else PACKERS[packing](content)
    shown = name if draw(st.booleans()) and packing != ".zip" else name + packing
    return Case(records, shown, packed, told, quoting, quoted)


def read_back(case: Case, folder: Path, outcomes: Counter[str]) -> None:
    """Fail if a row is lost without a word, or a message has a text."""
    path = folder / case.name
    path.write_bytes(case.content)
    columns = list(case.records[0]) if case.records else None
    try:
        rows = Rows(
            path,
            require_format(path),
            encoding=case.encoding,
            quoting=case.quoting,
            columns=columns,
        )
        with closing(rows):
            found = list(rows)
    except ConfigurationError as error:
        outcomes["refused"] += 1
        said = str(error)
        assert said.startswith(str(path))
        assert CANARY not in said
        told = "--quoting" if "line" in said and case.records else "empty"
        assert told in said, said
        if told == "--quoting":
            assert case.quoting == "auto", said
        return
    finally:
        path.unlink()
    assert not any(CANARY in row.fault for row in found)
    read = [row.values for row in found if not row.fault]
    if case.quoted or case.quoting == "none":
        outcomes["equal"] += 1
        assert read == case.records, [row.fault for row in found]
        return
    outcomes["unquoted"] += 1
    faults = [row.fault for row in found if row.fault]
    # an unquoted file whose quotation marks may be those of fields, which then lack in the texts
    assert len(read) + len(faults) == len(case.records), faults
    if not faults:
        bare = [[strip(text) for text in row.values()] for row in read]
        assert bare == [[strip(text) for text in row.values()] for row in case.records]


def strip(text: str) -> str:
    return text.replace('"', "")


def check(case: Case, outcomes: Counter[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read_back(case, Path(folder), outcomes)


QUICKLY = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICKLY
@given(cases())
def test_a_random_table_is_read_back_or_refused(case: Case) -> None:
    check(case, Counter())


@pytest.mark.slow
def test_many_random_tables_are_read_back_or_refused() -> None:
    outcomes: Counter[str] = Counter()

    @settings(QUICKLY, max_examples=MANY, database=None)
    @given(cases())
    def try_all(case: Case) -> None:
        check(case, outcomes)

    try_all()
    tried = sum(outcomes.values())
    sys.stdout.write(f"{tried:,} tables: {dict(outcomes)}\n")
    assert tried >= MANY
    assert outcomes["refused"] < tried / 10
