"""Files that need not fit into memory, and a sample of their texts that does.

They are cut into ranges of bytes (:mod:`valence.training.corpora.ranges`); the sample is every so many of
these, spread over all files. It is dealt out by the hash of the text like any data: vocabulary and
baselines come of its training texts, and its dev and test texts are the dev and test sets. What is
trained on is read by :mod:`valence.training.data.stream`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from valence.service.classifier.manifest import CorpusRecord
from valence.training.config.columns import Columns
from valence.training.config.schema import Data
from valence.training.corpora import files, ranges
from valence.training.corpora.catalog import Counts, Loaded
from valence.training.corpora.example import Example
from valence.training.corpora.ranges import Range
from valence.training.runtime.progress import Reporter

# larger files are streamed if nothing else is said: as objects, texts take some five times as much
LARGE_BYTES = 2**28
SAMPLE_RANGES = 96
# gzipped and columnar files hold several times their size
_PACKED = 4


@dataclass(frozen=True, slots=True)
class Source:
    """Where texts are streamed from, and what is said of each file."""

    ranges: tuple[Range, ...]
    names: Mapping[Path, str]
    table: Columns
    records: tuple[CorpusRecord, ...]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(part.end - part.start for part in self.ranges)

    @property
    def sampled(self) -> float:
        """The share of them that :func:`load_sample` reads."""
        return min(1.0, SAMPLE_RANGES / len(self.ranges))

    def read(self, part: Range) -> Iterator[Example]:
        """The texts of ``part`` that are not empty."""
        texts = ranges.read_range(part, self.table, corpus=self.names[part.path])
        return (example for example in texts if example.text.strip())


def is_streamed(data: Data, cache: Path | None = None) -> bool:
    """Whether ``data`` are read while they are trained on: as it says, else if they are large."""
    if data.streamed is not None:
        return data.streamed
    if data.corpora or not data.files or not data.has_test:
        return False
    return is_large(files.find_files(data.files, cache))


def is_large(paths: Sequence[Path]) -> bool:
    """Whether all of ``paths`` together are streamed if nothing is said."""
    packed = {".gz", ".parquet"}
    sizes = (
        files.count_bytes(path) * (_PACKED if path.suffix.lower() in packed else 1)
        for path in paths
    )
    return sum(sizes) > LARGE_BYTES


def open_source(
    patterns: Sequence[str], table: Columns, folder: Path, reporter: Reporter
) -> Source:
    """The files of ``patterns``; what cannot be read by ranges is copied into ``folder`` first."""
    found = files.find_files(patterns, folder)
    names = files.name_files(found)
    paths = []
    records = []
    for path, name in zip(found, names, strict=True):
        known, encoding = files.resolve_encoding(path, table)
        if not ranges.is_readable_in_place(path, known):
            reporter.say(f"{name}: copied to {folder}, to be read in any order")
        paths.append(ranges.copy_as_json_lines(path, known, folder))
        texts = ranges.count_lines(paths[-1])
        records.append(files.make_record(path, name, encoding).model_copy(update={"texts": texts}))
    # those that are read in place are in UTF-8, and so are copies
    table = replace(table, encoding="utf-8")
    return Source(
        ranges.cut_into_ranges(paths), dict(zip(paths, names, strict=True)), table, tuple(records)
    )


def load_sample(source: Source) -> Loaded:
    """:data:`SAMPLE_RANGES` ranges of the files, evenly spread; no two texts alike."""
    parts = source.ranges
    if len(parts) > SAMPLE_RANGES:
        places = np.linspace(0, len(parts) - 1, SAMPLE_RANGES).astype(int)
        parts = tuple(parts[place] for place in places)
    seen: set[str] = set()
    examples: list[Example] = []
    counts: dict[str, Counts] = {}
    for path, group in itertools.groupby(parts, key=lambda part: part.path):
        name = source.names[path]
        read = kept = 0
        for example in (example for part in group for example in source.read(part)):
            read += 1
            key = example.normal_form
            if key not in seen:
                seen.add(key)
                examples.append(example)
                kept += 1
        counts[name] = Counts(read, 0, read - kept, 0, kept)
    return Loaded(tuple(examples), counts, source.records)
