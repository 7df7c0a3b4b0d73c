from __future__ import annotations

import datetime
import io
import tracemalloc
import zipfile
from contextlib import closing

import openpyxl
import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import workbook
from valence.service.files.formats import detect_format
from valence.service.files.rows import Rows
from valence.service.files.table import Row

from tests.support.table_files import write_workbook

MOMENT = datetime.datetime.fromisoformat("2026-01-02")


@pytest.fixture
def put(tmp_path):
    def put(content: bytes, name: str = "a.xlsx"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return put


def read_all(path, **options) -> list[Row]:
    with closing(Rows(path, "xlsx", **options)) as rows:
        return list(rows)


def test_cells_are_texts_whoever_wrote_them(put):
    """A library writes the texts into a table of their own, not into the cells."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["text", "stars", "day", "good", "none"])
    sheet.append(["Café,\nreally \N{GRINNING FACE}", 4, MOMENT, True, None])
    sheet.append([7, 4.5, datetime.date(2026, 1, 2), False, "=1+1"])
    content = io.BytesIO()
    book.save(content)
    first, second = read_all(put(content.getvalue()))
    assert first.values == {
        "text": "Café,\nreally \N{GRINNING FACE}",
        "stars": "4",
        "day": "2026-01-02T00:00:00",
        "good": "true",
        "none": "",
    }
    assert (first.place, second.place) == ("row 2", "row 3")
    assert (second.values["text"], second.values["stars"]) == ("7", "4.5")


def test_rows_beyond_the_stated_dimension_are_read(put):
    """The writer of the test states two rows."""
    table = [["text"], *([f"text {number}"] for number in range(700))]
    found = read_all(put(write_workbook(table)))
    assert [row.values["text"] for row in found] == [row[0] for row in table[1:]]


def test_empty_rows_are_no_rows_and_the_header_may_be_lower(put):
    found = read_all(
        put(write_workbook([[None], [None, None], ["text", "id"], [None, ""], ["a"], [None, "2"]]))
    )
    assert [tuple(row.values.values()) for row in found] == [("a", ""), ("", "2")]
    assert [row.place for row in found] == ["row 5", "row 6"]


def test_a_cell_beyond_the_header_is_a_fault_of_its_row(put):
    table = [["text", "id"], ["a", "1"], ["b", "2", "note"], ["c", "3", *[None] * 100, "far"]]
    found = read_all(put(write_workbook(table)))
    assert [row.fault for row in found] == [
        "",
        "1 cells are beyond the header, which has 2",
        "1 cells are beyond the header, which has 2",
    ]


def test_the_sheet_with_the_columns_is_read(put):
    notes, data = [["note"], ["x"]], [["text", "label"], ["a", "1"]]
    assert [row.values for row in read_all(put(write_workbook([], data, [[None]])))] == [
        {"text": "a", "label": "1"}
    ]
    path = put(write_workbook(notes, data))
    assert [row.values for row in read_all(path, columns=("text",))] == [{"text": "a"}]
    with pytest.raises(ConfigurationError, match=r"2 sheets have rows \('Sheet1', 'Sheet2'\)"):
        read_all(path)
    with pytest.raises(ConfigurationError, match="2 sheets have rows"):
        read_all(put(write_workbook(data, data)), columns=("text",))
    with pytest.raises(ConfigurationError, match="the file is empty"):
        read_all(put(write_workbook([], [[None]])))


def test_a_workbook_is_told_by_its_content(put):
    content = write_workbook([["text"], ["a"]])
    for name in ("a.xlsx", "a.csv", "a.zip", "a"):
        path = put(content, name)
        assert detect_format(path) == "xlsx"
        assert [row.values for row in read_all(path)] == [{"text": "a"}]


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_damaged_workbook_is_refused_with_a_remedy(put, kept):
    content = write_workbook([["text"], *[["a"]] * 99])
    path = put(content[: int(len(content) * kept)])
    with pytest.raises(ConfigurationError, match=r"a.xlsx: cannot be read as an Excel workbook"):
        read_all(path)
    broken = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(broken, "w") as archive,
    ):
        for name in source.namelist():
            data = source.read(name)
            archive.writestr(name, data[:-40] if "sheet1" in name else data)
    with pytest.raises(ConfigurationError, match="cannot be read as an Excel workbook"):
        read_all(put(broken.getvalue()))


def test_a_workbook_that_unpacks_to_too_much_is_refused(put, monkeypatch):
    monkeypatch.setattr(workbook, "_MAX_BYTES", 10_000)
    assert len(read_all(put(write_workbook([["text"], ["a"]])))) == 1
    with pytest.raises(ConfigurationError, match=r"unpacks to [\d,]+ bytes, more than 10,000"):
        read_all(put(write_workbook([["text"], *[["a" * 100]] * 100])))


@pytest.mark.parametrize("place", ["XFE2", "ZZZ2", "B999999999"])
def test_a_cell_far_away_takes_little_memory(put, place):
    """A library that fills the cells up to it would need all memory."""
    content = write_workbook([["text"], ["a"], ["b"]])
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as archive:
        for name in source.namelist():
            row = f'<row r="9999999999"><c r="{place}" t="inlineStr"><is><t>x</t></is></c></row>'
            data = source.read(name).replace(b"</sheetData>", f"{row}</sheetData>".encode())
            archive.writestr(name, data)
    monkey = workbook._MAX_ROWS
    workbook._MAX_ROWS = 10_000
    tracemalloc.start()
    try:
        found = read_all(put(changed.getvalue()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        workbook._MAX_ROWS = monkey
        tracemalloc.stop()
    assert [row.values["text"] for row in found][:2] == ["a", "b"]
    assert peak < 64 * 2**20


def test_entities_that_unfold_are_refused(put):
    content = write_workbook([["text"], ["a"]])
    levels = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    head = f'<!DOCTYPE x [<!ENTITY l0 "xxxxxxxxxx">{levels}]>'
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as archive:
        for name in source.namelist():
            data = source.read(name).decode()
            if "sheet1" in name:
                data = head + data.replace(">a<", ">&l12;<")
            archive.writestr(name, data)
    with pytest.raises(ConfigurationError, match="cannot be read as an Excel workbook"):
        read_all(put(changed.getvalue()))


def test_a_workbook_needs_a_package_that_is_named(put, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ConfigurationError, match=r"openpyxl.*pip install 'valence\[score\]'"):
        read_all(put(write_workbook([["text"]])))
