"""Texts in folders named after their labels, one file a text: ``reviews/positive/17.txt``.

Folders of splits may stand between, as in the Large Movie Review Dataset (Maas et al. 2011); their
texts are read as one, for the hash of a text decides its split here.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.encodings import AUTO, Encoding

SPLITS = ("train", "dev", "valid", "validation", "test")
# that data set's texts without a label
UNLABELLED = "unsup"
_ENDINGS = (".txt", ".txt.gz")


def list_texts(folder: Path) -> Iterator[tuple[str, Path]]:
    """The label and file of each text, labels in order of their names and so their files."""
    for below in _list_folders(folder):
        if below.name.lower() in SPLITS:
            yield from (found for label in _list_folders(below) for found in _list_files(label))
        else:
            yield from _list_files(below)


def holds_labelled_texts(folder: Path) -> bool:
    """Whether ``folder`` holds any such text."""
    return next(list_texts(folder), None) is not None


def read_texts(folder: Path, encoding: str) -> Iterator[tuple[str, str, str]]:
    """Where each text is, the text and its label.

    Where the ``encoding`` is "auto", what is UTF-8 is read so and the others by :func:`guess_encoding`, for
    such folders are collected from many places. Raises :class:`ConfigurationError`.
    """
    found = guess_encoding(folder).name if encoding == AUTO else encoding
    for label, path in list_texts(folder):
        content = _read_bytes(path)
        name = "utf-8" if encoding == AUTO and _is_utf8(content) else found
        try:
            text = content.decode("utf-8-sig" if name == "utf-8" else name)
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise ConfigurationError(
                f"{path}, line {line}: the byte 0x{content[error.start]:02x} is not "
                f"{error.encoding.upper()}; say which encoding it is, such as --encoding cp1252"
            ) from None
        except (LookupError, UnicodeError):
            raise ConfigurationError(
                f"{path}: it cannot be read as {name!r}; see --encoding"
            ) from None
        yield path.relative_to(folder).as_posix(), text, label


def guess_encoding(folder: Path) -> Encoding:
    """The encoding of the texts that are not UTF-8, by the first of them.

    Raises :class:`ConfigurationError` where none fits.
    """
    others = 0
    prefix = b""
    for _, path in list_texts(folder):
        content = _read_bytes(path)
        if not _is_utf8(content):
            others += 1
            if len(prefix) < encodings.PREFIX_BYTES:
                prefix += content + b"\n"
    found = encodings.detect_encoding(prefix)
    if found is None:
        raise ConfigurationError(
            f"{folder}: the encoding of {others:,} texts cannot be told; say it, such as "
            "--encoding cp1252"
        )
    return found


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def sha256(folder: Path) -> str:
    """Of the texts, and of where in the folder each is."""
    whole = hashlib.sha256()
    for _, path in list_texts(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{content} {path.relative_to(folder).as_posix()}\n".encode())
    return whole.hexdigest()


def count_bytes(folder: Path) -> int:
    """Bytes of all texts."""
    return sum(path.stat().st_size for _, path in list_texts(folder))


def _list_folders(folder: Path) -> list[Path]:
    below = (one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    return sorted(one for one in below if one.name.lower() != UNLABELLED)


def _list_files(label: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(label.rglob("*")):
        if path.name.lower().endswith(_ENDINGS) and path.is_file():
            yield label.name, path


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return encodings.decompress(file, path).read()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ConfigurationError(f"{path}: not gzip, damaged or cut short; copy it anew") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
