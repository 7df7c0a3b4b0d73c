"""Read files of JSON lines by ranges of bytes: texts in any order, a few at a time.

A line belongs to the range of its first byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import replace_file
from valence.service.files.rows import has_plain_lines
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
    return table.encoding.lower() in ("utf-8", "utf8") and has_plain_lines(path)


def copy_as_json_lines(path: Path, table: Columns, folder: Path) -> Path:
    """``path`` itself if it can be read by ranges, else a copy in ``folder`` that can.

    A compressed file cannot be entered in the middle, a row of CSV may contain line breaks, and a
    row group of Parquet may be larger than memory. The name of the copy is a hash of its source.
    The copy is written completely or not at all. Raises :class:`ConfigurationError` as
    :func:`valence.training.corpora.files.read_examples` does.
    """
    if is_readable_in_place(path, table):
        return path
    source = [files.sha256(path), *map(str, astuple(table))]
    name = hashlib.sha256("\n".join(source).encode()).hexdigest()[:16]
    made = folder / f"{name}.jsonl"
    if made.is_file():
        return made
    try:
        with replace_file(made) as unfinished, unfinished.open("w", encoding="ascii") as file:
            for example in files.read_examples(path, table, corpus=path.name):
                labelled = {table.label: example.label} if table.label else {}
                file.write(json.dumps({table.text: example.text, **labelled}) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error}; it is copied to {folder} to be read in any order, and needs "
            "the space of its text there"
        ) from None
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
