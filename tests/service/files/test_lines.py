from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest
from valence.service.files import lines
from valence.service.files.lines import RowLines, RowTooLong, read_lines, read_lines_within

CONTENT = b"one\n" + b"x" * 25 + b"\n" + b"y" * 9 + b"\n" + b"z" * 10 + b"\nlast"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW", 10)
    monkeypatch.setattr(lines, "_SKIPPED_AT_ONCE", 4)


def test_a_line_that_is_too_long_is_skipped_alone():
    """A line has its end; a line of 10 bytes and its end is too long."""
    expected = [b"one\n", None, b"y" * 9 + b"\n", None, b"last"]
    assert list(read_lines(io.BytesIO(CONTENT))) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("length", range(7, 30))
def test_decoded_lines_of_every_length_are_kept_or_skipped(end, length):
    text = io.TextIOWrapper(
        io.BytesIO(f"a{end}{'x' * length}{end}b{end}".encode("utf-16")),
        encoding="utf-16",
        newline="",
    )
    first, *between, last = read_lines(text)
    assert (first, last) == (f"a{end}", f"b{end}")
    assert between == [f"{'x' * length}{end}" if length + len(end) <= 10 else None]


@pytest.mark.parametrize("cut", range(len(CONTENT) + 1))
def test_two_ranges_have_each_line_once(cut):
    parts = (0, cut), (cut, len(CONTENT))
    found = [line for part in parts for line in read_lines_within(io.BytesIO(CONTENT), *part)]
    assert found == list(read_lines(io.BytesIO(CONTENT)))


def test_a_row_of_many_lines_is_bounded_too():
    source = RowLines(iter(["1234\n", "5678\n", "9\n", None, "a\n", "b\n"]))
    assert next(source) + next(source) == "1234\n5678\n"
    with pytest.raises(RowTooLong):
        next(source)
    source.start_row()
    with pytest.raises(RowTooLong):
        next(source)
    source.start_row()
    assert list(source) == ["a\n", "b\n"]
    assert (source.number, source.size) == (6, 4)


def test_a_line_of_a_gigabyte_takes_little_memory(monkeypatch, tmp_path):
    """Half a gigabyte, to be quick: a file of half a megabyte unpacks to it."""
    monkeypatch.setattr(lines, "MAX_ROW", 2**20)
    monkeypatch.setattr(lines, "_SKIPPED_AT_ONCE", 2**20)
    path = tmp_path / "a.gz"
    # members of a gzip file that follow each other are one file
    member = gzip.compress(b"x" * 2**24)
    path.write_bytes(member * 32 + gzip.compress(b"\nlast\n"))
    tracemalloc.start()
    try:
        with gzip.open(path) as stream:
            assert list(read_lines(stream)) == [None, b"last\n"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20
