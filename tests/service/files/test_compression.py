from __future__ import annotations

import lzma
import random
import sys
import tracemalloc

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files.compression import Damage, name_packing, open_unpacked

from tests.support.table_files import PACKERS

SIZE = 30_000_000
CONTENT = random.Random(1).randbytes(600_000)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("size", [1, 2**16, 2**21])
def test_all_bytes_come_in_pieces_of_any_size(tmp_path, packing, size):
    content = CONTENT[: 3_000 if size == 1 else None]
    path = tmp_path / "a"
    path.write_bytes(PACKERS[packing](content))
    file, stream = open_unpacked(path)
    with file:
        assert b"".join(iter(lambda: stream.read(size), b"")) == content


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
def test_what_comes_before_damage_is_given_first(tmp_path, packing):
    path = tmp_path / "a"
    packed = bytearray(PACKERS[packing](CONTENT))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    file, stream = open_unpacked(path)
    found = b""
    with file, pytest.raises(Damage):  # noqa: PT012
        while True:
            found += stream.read(10_000)
    assert CONTENT.startswith(found)
    assert len(found) > len(CONTENT) / 3


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst", ".zip"])
def test_a_bomb_is_unpacked_as_it_is_read(tmp_path, packing):
    """Megabytes of one letter."""
    path = tmp_path / "a"
    path.write_bytes(PACKERS[packing](b"x" * SIZE))
    tracemalloc.start()
    try:
        file, stream = open_unpacked(path)
        with file:
            size = sum(map(len, iter(lambda: stream.read(2**20), b"")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == SIZE
    assert peak < SIZE / 3


def test_xz_that_needs_much_memory_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(_claim_dictionary(lzma.compress(b"text\n" * 99)))
    file, stream = open_unpacked(path)
    with file, pytest.raises(Damage):
        stream.read()


def _claim_dictionary(packed: bytes) -> bytes:
    """The file with a head that claims a dictionary of 1.5 GiB."""
    import zlib

    head = bytearray(packed[12 : 12 + (packed[12] + 1) * 4])
    place = head.index(b"\x21\x01") + 2
    head[place] = 37
    head[-4:] = zlib.crc32(bytes(head[:-4])).to_bytes(4, "little")
    return packed[:12] + bytes(head) + packed[12 + len(head) :]


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (PACKERS[".gz"](b""), "gzip"),
        (PACKERS[".bz2"](b""), "bzip2"),
        (PACKERS[".bz2"](b"x"), "bzip2"),
        (b"BZhang,text\n", None),
        (b"PK,text\n", None),
        (b"", None),
        (b"text,label\n", None),
    ],
)
def test_the_first_bytes_tell_the_compression(mark, name):
    assert name_packing(mark) == name


def test_zstandard_needs_a_package_that_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.zst"
    path.write_bytes(PACKERS[".zst"](b"text\n"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'valence\[score\]'"):
        open_unpacked(path)
