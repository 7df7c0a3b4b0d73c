"""Texts in folders named after their labels, one file per text: ``reviews/positive/17.txt``.

The folders of labels may be in folders of splits, as in the Large Movie Review Dataset (Maas et al.
2011). All texts are read together, because here the hash of a text decides its split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.compression import ENDINGS, Damage, open_unpacked
from valence.service.files.encodings import AUTO, Encoding
from valence.service.files.lines import MAX_ROW

SPLITS = ("train", "dev", "valid", "validation", "test")
# The texts of that data set without a label.
UNLABELLED = "unsup"
_ENDINGS = (".txt", *(f".txt{packing}" for packing in ENDINGS))


def list_texts(folder: Path) -> Iterator[tuple[str, Path]]:
    """The label and file of each text; labels and files are sorted by name."""
    for below in _list_folders(folder):
        if below.name.lower() in SPLITS:
            yield from (found for label in _list_folders(below) for found in _list_files(label))
        else:
            yield from _list_files(below)


def holds_labelled_texts(folder: Path) -> bool:
    """Whether ``folder`` has a text in the folder of a label."""
    return next(list_texts(folder), None) is not None


def read_texts(folder: Path, encoding: str) -> Iterator[tuple[str, str, str]]:
    """The place, the text and the label of each text.

    With the ``encoding`` "auto", each text is read as UTF-8 if it is UTF-8; the others are read by
    :func:`guess_encoding`, because such folders are collected from many places. Raises
    :class:`ConfigurationError`.
    """
    found = guess_encoding(folder).name if encoding == AUTO else encoding
    found = found.rpartition(",")[2]  # of the texts that are not UTF-8
    for label, path in list_texts(folder):
        content = _read_bytes(path)
        name = "utf-8" if encoding == AUTO and encodings.is_utf8(content) else found
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
    """The encoding of the texts that are not UTF-8, guessed from the first of them.

    Raises :class:`ConfigurationError` if no encoding fits.
    """
    others = 0
    prefix = b""
    for _, path in list_texts(folder):
        content = _read_bytes(path)
        if not encodings.is_utf8(content):
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


def sha256(folder: Path) -> str:
    """The hash of the texts and of their places in the folder."""
    digest = hashlib.sha256()
    for _, path in list_texts(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{content} {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def count_bytes(folder: Path) -> int:
    """The size of all texts in bytes."""
    return sum(path.stat().st_size for _, path in list_texts(folder))


def _list_folders(folder: Path) -> list[Path]:
    subfolders = (
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    return sorted(path for path in subfolders if path.name.lower() != UNLABELLED)


def _list_files(label: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(label.rglob("*")):
        if path.name.lower().endswith(_ENDINGS) and path.is_file():
            yield label.name, path


def _read_bytes(path: Path) -> bytes:
    try:
        file, stream = open_unpacked(path)
        with file:
            content = stream.read(MAX_ROW + 1)
    except Damage:
        raise ConfigurationError(
            f"{path}: the compressed file is damaged or cut short; copy the file again"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_ROW:
        raise ConfigurationError(f"{path}: more than {MAX_ROW:,} bytes; split or shorten the text")
    return content
