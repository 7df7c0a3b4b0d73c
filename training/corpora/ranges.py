"""Read files of JSON lines by ranges of bytes: texts in any order, a few at a time.

A line belongs to the range of its first byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.encodings import is_gzipped
from valence.service.files.formats import detect_format
from valence.training.config.columns import Columns
from valence.training.corpora import files
from valence.training.corpora.example import Example

RANGE_BYTES = 2**18
_CHUNK_BYTES = 2**22


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes ``start`` to ``end`` of a file."""

    path: Path
    start: int
    end: int


def is_readable_in_place(path: Path, table: Columns) -> bool:
    """Whether the file at ``path`` can be read by ranges; ``table`` gives its encoding."""
    plain = detect_format(path) == "jsonl" and not is_gzipped(path)
    return plain and table.encoding.lower() in ("utf-8", "utf8")


def copy_as_json_lines(path: Path, table: Columns, folder: Path) -> Path:
    """``path`` itself if it can be read by ranges, else a copy in ``folder`` that can.

    A gzipped file cannot be entered in the middle, a row of CSV may contain line breaks, and a row
    group of Parquet may be larger than memory. The name of the copy is a hash of its source, and
    the copy is written completely or not at all. Raises :class:`ConfigurationError` as
    :func:`valence.training.corpora.files.read_examples` does.
    """
    if is_readable_in_place(path, table):
        return path
    source = [files.sha256(path), table.text, table.label, table.encoding]
    name = hashlib.sha256("\n".join(source).encode()).hexdigest()[:16]
    made = folder / f"{name}.jsonl"
    if made.is_file():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_suffix(".unfinished")
    try:
        with unfinished.open("w", encoding="ascii") as file:
            for _, row in files.read_rows(path, table):
                kept = {table.text: row[table.text], table.label: row[table.label]}
                file.write(json.dumps(kept) + "\n")
        unfinished.replace(made)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error}; it is copied to {folder} to be read in any order, and needs "
            "the space of its text there"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)
    return made


def count_lines(path: Path) -> int:
    """The number of lines of the file at ``path``."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""))


def cut_into_ranges(paths: Sequence[Path]) -> tuple[Range, ...]:
    """The files at ``paths``, cut into ranges of :data:`RANGE_BYTES`."""
    return tuple(
        Range(path, start, min(start + RANGE_BYTES, size))
        for path in paths
        for size in (path.stat().st_size,)
        for start in range(0, size, RANGE_BYTES)
    )


def read_range(part: Range, table: Columns, *, corpus: str) -> Iterator[Example]:
    """The rows of ``part``; raises as :func:`valence.training.corpora.files.read_examples` does."""
    return files.read_examples(part.path, table, corpus=corpus, part=(part.start, part.end))
