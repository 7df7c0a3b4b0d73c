"""Files that may be larger than memory, and a sample of their texts that fits.

The files are cut into ranges of bytes (:mod:`valence.training.corpora.ranges`); the sample takes
ranges at equal distances over all files. The sample is split by the hashes of its texts like any
data. Its training texts give the vocabulary and the baselines, and its dev and test texts are the
dev and test sets. :mod:`valence.training.data.stream` reads the texts that are trained on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from valence.service.classifier.manifest import CorpusRecord
from valence.service.errors import ConfigurationError
from valence.service.files.formats import is_packed
from valence.training.config.columns import Columns
from valence.training.config.schema import Data
from valence.training.corpora import files, ranges
from valence.training.corpora.catalog import Counts, Loaded
from valence.training.corpora.example import Example
from valence.training.corpora.ranges import Range
from valence.training.runtime.progress import Reporter

# Larger files are streamed by default: as objects, texts take about five times their size.
LARGE_BYTES = 2**28
SAMPLE_RANGES = 96
# Gzipped and columnar files expand to several times their size.
_EXPANSION = 4


@dataclass(frozen=True, slots=True)
class Source:
    """The ranges that texts are streamed from, and the name and record of each file."""

    ranges: tuple[Range, ...]
    names: Mapping[Path, str]
    columns: Columns
    records: tuple[CorpusRecord, ...]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file_range.end - file_range.start for file_range in self.ranges)

    @property
    def sampled(self) -> float:
        """The share of the ranges that :func:`load_sample` reads."""
        return min(1.0, SAMPLE_RANGES / len(self.ranges))

    def read(self, file_range: Range) -> Iterator[Example]:
        """The texts of ``file_range`` that are not empty."""
        texts = ranges.read_range(file_range, self.columns, corpus=self.names[file_range.path])
        return (example for example in texts if example.text.strip())


def is_streamed(data: Data, cache: Path | None = None) -> bool:
    """Whether texts are read during training: as ``data`` say, else if their files are large."""
    if data.streamed is not None:
        return data.streamed
    if data.corpora or not data.files or not data.has_test:
        return False
    return is_large(files.find_files(data.files, cache))


def is_large(paths: Sequence[Path]) -> bool:
    """Whether the files at ``paths`` are streamed by default."""
    sizes = (
        files.count_bytes(path) * (_EXPANSION if path.is_file() and is_packed(path) else 1)
        for path in paths
    )
    return sum(sizes) > LARGE_BYTES


def open_source(
    patterns: Sequence[str], columns: Columns, folder: Path, reporter: Reporter
) -> Source:
    """The files of ``patterns``; a file that cannot be read by ranges is copied into ``folder``."""
    originals = files.find_files(patterns, folder)
    names = files.name_files(originals)
    paths = []
    records = []
    for path, name in zip(originals, names, strict=True):
        resolved, encoding = files.resolve_encoding(path, columns)
        if not ranges.is_readable_in_place(path, resolved):
            reporter.say(f"{name}: copied to {folder}, to be read in any order")
        paths.append(ranges.copy_as_json_lines(path, resolved, folder))
        texts = ranges.count_lines(paths[-1])
        records.append(files.make_record(path, name, encoding).model_copy(update={"texts": texts}))
    if not any(path.stat().st_size for path in paths):
        raise ConfigurationError(
            f"{', '.join(patterns)}: the file is empty: it has no row with a text"
        )
    # Files that are read in place, and copies, are in UTF-8.
    columns = replace(columns, encoding="utf-8")
    return Source(
        ranges.cut_into_ranges(paths), dict(zip(paths, names, strict=True)), columns, tuple(records)
    )


def load_sample(source: Source) -> Loaded:
    """:data:`SAMPLE_RANGES` ranges of the files at equal distances, without copies of a text."""
    sampled = source.ranges
    if len(sampled) > SAMPLE_RANGES:
        indices = np.linspace(0, len(sampled) - 1, SAMPLE_RANGES).astype(int)
        sampled = tuple(sampled[index] for index in indices)
    seen: set[str] = set()
    examples: list[Example] = []
    counts: dict[str, Counts] = {}
    for path, group in itertools.groupby(sampled, key=lambda file_range: file_range.path):
        name = source.names[path]
        read = kept = 0
        for example in (example for file_range in group for example in source.read(file_range)):
            read += 1
            key = example.normal_form
            if key not in seen:
                seen.add(key)
                examples.append(example)
                kept += 1
        counts[name] = Counts(read, 0, read - kept, 0, kept)
    return Loaded(tuple(examples), counts, source.records)
