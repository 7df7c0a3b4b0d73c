from __future__ import annotations

import gzip
import io
import time
import tracemalloc

import pytest
from valence.service.files import lines
from valence.service.files.lines import (
    RowLines,
    RowTooLong,
    read_lines,
    read_lines_within,
    split_lines,
)

CONTENT = b"one\n" + b"x" * 25 + b"\n" + b"y" * 9 + b"\n" + b"z" * 10 + b"\nlast"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW", 10)
    monkeypatch.setattr(lines, "_SKIPPED_AT_ONCE", 4)


def test_a_line_that_is_too_long_is_skipped_alone():
    """A line has its end; a line of 10 bytes and its end is too long."""
    expected = [b"one\n", None, b"y" * 9 + b"\n", None, b"last"]
    assert list(read_lines(io.BytesIO(CONTENT))) == expected


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("length", range(7, 30))
def test_pieces_of_any_size_give_the_same_lines(end, size, length):
    """A line of more than 10 characters with its end is skipped alone."""
    text = f"a{end}{'x' * length}{end}{end}last"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    long = f"{'x' * length}{end}"
    expected = [f"a{end}", long if len(long) <= 10 else None, end, "last"]
    assert list(split_lines(pieces, end)) == expected
    encoded = [piece.encode() for piece in pieces]
    assert list(split_lines(encoded, end.encode())) == [line and line.encode() for line in expected]


@pytest.mark.parametrize("tail", ["", "x" * 9, "x" * 11])
def test_the_last_line_needs_no_end(tail):
    expected = ["a\n", *([tail if len(tail) <= 10 else None] if tail else [])]
    assert list(split_lines(["a\n", *tail], "\n")) == expected


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


def test_a_row_of_very_many_lines_takes_linear_time(monkeypatch):
    """Each line costs as much as the one before."""
    monkeypatch.setattr(lines, "MAX_ROW", 2_000_000)
    source = RowLines(iter(["1\n"] * 2_000_000))
    source.start_row()
    started = time.process_time()
    with pytest.raises(RowTooLong):
        for _ in source:
            pass
    assert source.size == 2_000_002
    assert time.process_time() - started < 10


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
