import errno
import os
import time
from collections.abc import Iterator

import pytest
from valence.service.observability.line_writer import LineWriter, _pieces

LINE = "x" * 99 + "\n"


class Dropped:
    """Counts dropped lines."""

    def __init__(self) -> None:
        self.lines = 0

    def __call__(self, lines: int) -> None:
        self.lines += lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        os.close(descriptor)


def read_until(reading: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += os.read(reading, 65536)
    return content


def test_lines_reach_the_descriptor_in_order(pipe):
    reading, writing = pipe
    dropped = Dropped()
    writer = LineWriter(writing, dropped)
    for number in range(100):
        writer.write(f"{number}\n")
    assert writer.drain(5)
    assert os.read(reading, 65536).decode().split() == [str(number) for number in range(100)]
    assert dropped.lines == 0


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_that_nobody_reads_delays_nobody(pipe, blocking):
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    dropped = Dropped()
    writer = LineWriter(writing, dropped, max_bytes=100_000)
    begun = time.monotonic()
    for _ in range(400):
        writer.write(LINE * 10)
    assert time.monotonic() - begun < 1
    assert not writer.drain(0.05)
    assert dropped.lines > 2000
    # what is read later is whole lines, and the others were counted
    size = (4000 - dropped.lines) * len(LINE)
    content = read_until(reading, size)
    assert content == LINE.encode() * (4000 - dropped.lines)
    assert writer.drain(5)


def test_lines_that_a_full_disk_refuses_are_counted():
    dropped = Dropped()
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = LineWriter(full, dropped)
        writer.write("one\ntwo\n")
        assert writer.drain(5)
    finally:
        os.close(full)
    assert dropped.lines == 2


def test_lines_are_counted_when_the_reader_has_gone():
    reading, writing = os.pipe()
    os.close(reading)
    dropped = Dropped()
    writer = LineWriter(writing, dropped)
    writer.write("one\n")
    assert writer.drain(5)
    os.close(writing)
    assert dropped.lines == 1


def test_without_a_stream_all_lines_are_counted():
    dropped = Dropped()
    LineWriter(None, dropped).write("one\ntwo\n")
    assert dropped.lines == 2


class FullDisk(LineWriter):
    """Writes into memory until a write has no room."""

    def __init__(self, dropped: Dropped, room: list[int]) -> None:
        super().__init__(0, dropped)
        self.content = b""
        self._room = room

    def _write_some(self, content: bytes) -> int:
        room = self._room.pop(0) if self._room else len(content)
        if not room:
            raise OSError(errno.ENOSPC, "no space")
        self.content += content[:room]
        return min(room, len(content))


@pytest.mark.parametrize(
    ("room", "written", "lost"),
    [
        ([4, 0], b"one\nfour\n", 2),
        ([6, 0], b"one\ntw\nfour\n", 2),
        ([6, 0, 0], b"one\ntw", 3),
        ([8, 0], b"one\ntwo\nfour\n", 1),
        ([0], b"four\n", 3),
    ],
)
def test_a_line_after_a_torn_one_is_whole(room, written, lost):
    dropped = Dropped()
    writer = FullDisk(dropped, room)
    writer.write("one\ntwo\nthree\n")
    assert writer.drain(5)
    writer.write("four\n")
    assert writer.drain(5)
    assert writer.content == written
    assert dropped.lines == lost


def test_pieces_are_whole_lines_that_a_pipe_takes_at_once():
    content = b"".join(b"%0*d\n" % (size, 1) for size in (3000, 1000, 200, 5000, 10))
    pieces = list(_pieces(content))
    assert b"".join(pieces) == content
    assert [len(piece) for piece in pieces] == [4002, 201, 5001, 11]
