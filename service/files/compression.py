"""Compressed files, recognized by their first bytes and unpacked as they are read.

The name of a file does not decide: a file in gzip may be called ``a.csv``.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

from valence.service.errors import ConfigurationError

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""The endings of the names of compressed files."""
BUFFER_BYTES = 2**20
_MARKS = {
    "gzip": b"\x1f\x8b",
    "xz": b"\xfd7zXZ\0",
    "zstd": b"\x28\xb5\x2f\xfd",
    "zip": b"PK\x03\x04",
}
# after the level of compression
_BZIP2_MARKS = (b"1AY&SY", b"\x17rE8P\x90")
_UNREADABLE = {
    b"PK\x05\x06": "an empty ZIP archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; unpack it",
    b"Rar!\x1a\x07": "a RAR archive; unpack it",
    b"\x04\x22\x4d\x18": "compressed by LZ4; unpack it",
    b"\x1f\x9d": "compressed by compress; unpack it",
    b"ARROW1": "a file of Arrow; save it as Parquet",
    b"SQLite format 3": "a data base of SQLite; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old or encrypted Office file; save it as .xlsx without a password, "
    "or as CSV",
}
_MARK_BYTES = 16
# archives that are a document
_DOCUMENTS = {
    "content.xml": "an OpenDocument file; save it as .xlsx or CSV",
    "xl/workbook.bin": "a binary workbook; save it as .xlsx or CSV",
    "word/document.xml": "a document of Word; save its table as CSV",
}
_TAR_MARK = slice(257, 262)
# xz -9 needs 65 MiB
_XZ_MEMORY = 2**28
_XZ_BYTES = 2**16
# a piece in which damage is found is lost
_PIECE_BYTES = 2**16


class Damage(Exception):
    """Compressed bytes are damaged or cut short."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def open_unpacked(path: Path) -> tuple[IO[bytes], io.BufferedReader]:
    """The file at ``path``, and the stream of its unpacked bytes, which may be the file itself.

    Reading the stream raises :class:`Damage`. Raises :class:`OSError`, and
    :class:`ConfigurationError` for a file that cannot be unpacked.
    """
    file = io.BufferedReader(io.FileIO(path), BUFFER_BYTES)
    try:
        return file, _unpack(file, path)
    except BaseException:
        file.close()
        raise


def name_packing(mark: bytes) -> str | None:
    """The compression of a file that begins with ``mark``; None if it is not compressed."""
    if mark.startswith(b"BZh") and mark[4:10] in _BZIP2_MARKS:
        return "bzip2"
    return next((name for name, known in _MARKS.items() if mark.startswith(known)), None)


def find_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """The only file in a ZIP archive; raises :class:`ConfigurationError` if it has others."""
    found = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not Path(member.filename).name.startswith(".")
    ]
    for member in found:
        if member.filename in _DOCUMENTS:
            raise ConfigurationError(f"{path} is {_DOCUMENTS[member.filename]}")
    if len(found) != 1:
        raise ConfigurationError(
            f"{path}: the ZIP archive has {len(found)} files, not one; unpack it and name the files"
        )
    return found[0]


def is_gzipped(path: Path) -> bool:
    """Whether the name of the file ends in .gz, as that of a file to write."""
    return path.suffix.lower() == ".gz"


def _unpack(file: io.BufferedReader[Any], path: Path) -> io.BufferedReader:
    mark = file.peek(_MARK_BYTES)
    for known, meaning in _UNREADABLE.items():
        if mark.startswith(known):
            raise ConfigurationError(f"{path} is {meaning}")
    packing = name_packing(mark)
    stream: io.BufferedReader[Any] = file
    if packing is not None:
        stream = io.BufferedReader(_Unpacked(_OPENERS[packing](file, path)), BUFFER_BYTES)
    try:
        start = stream.peek(_TAR_MARK.stop)
    except Damage:
        return stream  # reading raises it again
    if packing is not None and name_packing(start) is not None:
        raise ConfigurationError(f"{path} is compressed twice; unpack it once")
    if start[_TAR_MARK] == b"ustar":
        raise ConfigurationError(f"{path} is a tar archive; unpack it and name the files")
    return stream


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a source. What comes before damage is given first."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._damage: Damage | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)
        filled = 0
        while filled < len(view) and self._damage is None:
            try:
                data = self._source.read(min(len(view) - filled, _PIECE_BYTES))
            except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
                self._damage = Damage(str(error))
            except OSError as error:
                if error.errno is not None:  # the disk, not the content
                    raise
                self._damage = Damage(str(error))
            else:
                if not data:
                    break
                view[filled : filled + len(data)] = data
                filled += len(data)
        if self._damage is not None and not filled:
            raise self._damage
        return filled


class _XzSource:
    """Unpacks xz with bounded memory, one stream after the other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decompressor = self._start()

    def read(self, size: int) -> bytes:
        while True:
            waiting = b""
            if self._decompressor.eof:
                # streams may follow each other, with zeros between them
                waiting = self._decompressor.unused_data.lstrip(b"\0")
                if not waiting:
                    waiting = self._file.read(_XZ_BYTES).lstrip(b"\0")
                    if not waiting:
                        return b""
                self._decompressor = self._start()
            elif self._decompressor.needs_input:
                waiting = self._file.read(_XZ_BYTES)
                if not waiting:
                    raise EOFError("cut short")
            data = self._decompressor.decompress(waiting, size)
            if data:
                return data

    @staticmethod
    def _start() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _open_zstd(file: IO[bytes], path: Path) -> _Source:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"{path}: Zstandard needs pyarrow, which is not installed: pip install "
            "'valence[score]', or unpack the file"
        ) from None
    source: _Source = pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd")
    return source


def _open_member(file: IO[bytes], path: Path) -> _Source:
    try:
        archive = zipfile.ZipFile(file)
        return archive.open(find_member(archive, path))
    except zipfile.BadZipFile:
        raise ConfigurationError(
            f"{path}: the ZIP archive is damaged or cut short; copy the file again"
        ) from None
    except RuntimeError as error:
        # it has a password, or is packed by a method that Python does not have
        raise ConfigurationError(f"{path}: {error}; unpack the archive") from None


_OPENERS: dict[str, Callable[[IO[bytes], Path], _Source]] = {
    "gzip": lambda file, _: gzip.GzipFile(fileobj=file),
    "bzip2": lambda file, _: bz2.BZ2File(file),
    "xz": lambda file, _: _XzSource(file),
    "zstd": _open_zstd,
    "zip": _open_member,
}
