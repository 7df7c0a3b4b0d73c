"""The training and held-out documents of a character model."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.training.char_lm import source_code
from valence.training.char_lm.config import CharacterData
from valence.training.corpora import catalog
from valence.training.corpora.archive import Progress, fetch
from valence.training.corpora.example import Example
from valence.training.data.split import split_by_hash

# stands between two documents
GAP = "\n\n\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its label, if the text has a label."""

    text: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentSplits:
    """Documents for training, for choosing the epoch (dev), and for testing."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...]
    test: tuple[Document, ...]


def load_documents(
    data: CharacterData, *, cache: Path, progress: Progress | None = None
) -> DocumentSplits:
    """The documents of ``data`` by split.

    :mod:`valence.training.data.split` splits the documents of corpora and packages. A file is one
    long text: its last tenth is the test text, the tenth before is the dev text. Raises
    :class:`ConfigurationError` for a file that cannot be read and for too little text.
    """
    train: list[Document] = []
    dev: list[Document] = []
    test: list[Document] = []
    splits = split_by_hash(_read_examples(data, cache, progress))
    for part, examples in ((train, splits.train), (dev, splits.dev), (test, splits.test)):
        part += [Document(example.text, " ".join(example.labels)) for example in examples]
    for name in data.files:
        text = _read_text(Path(name))
        tenth = len(text) // 10
        label = source_code.LABEL if name.endswith(".py") else None
        train.append(Document(text[: len(text) - 2 * tenth], label))
        dev.append(Document(text[len(text) - 2 * tenth : len(text) - tenth], label))
        test.append(Document(text[len(text) - tenth :], label))
    if min(len(join_documents(part)) for part in (train, dev, test)) < 2:
        raise ConfigurationError("too little text for train, dev and test; add files or corpora")
    return DocumentSplits(tuple(train), tuple(dev), tuple(test))


def break_lines(text: str, width: int) -> str:
    """``text`` with lines of at most ``width`` characters, broken at spaces; longer words stay."""
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )


def join_documents(documents: Sequence[Document]) -> str:
    """``documents`` as one text."""
    return GAP.join(document.text for document in documents)


def take_documents(documents: Sequence[Document], characters: int) -> tuple[Document, ...]:
    """The first documents of at most ``characters`` in all, gaps included; the last one is cut."""
    taken: list[Document] = []
    for document in documents:
        if characters <= 0:
            break
        taken.append(replace(document, text=document.text[:characters]))
        characters -= len(document.text) + len(GAP)
    return tuple(taken)


def _read_examples(
    data: CharacterData, cache: Path, progress: Progress | None
) -> Sequence[Example]:
    """The documents of corpora and packages.

    Documents of packages are spread among those of corpora by their hashes, so that each part of
    the text has both; corpora alone keep their order.
    """
    examples: list[Example] = []
    if data.corpora:
        loaded = catalog.load_corpora(data.corpora, cache=cache, progress=progress)
        prose = _select(loaded.examples, data.characters)
        if data.width is not None:
            prose = [replace(one, text=break_lines(one.text, data.width)) for one in prose]
        examples += prose
    for name in data.packages:
        archive = fetch(source_code.PACKAGES[name], cache, progress=progress)
        examples += _select(list(source_code.read(archive)), data.characters)
    return sorted(examples, key=_order) if data.packages else examples


def _select(examples: Sequence[Example], characters: int | None) -> list[Example]:
    """The examples that fit into ``characters``, in the order of their hashes."""
    if characters is None:
        return list(examples)
    selected, left = [], characters
    for example in sorted(examples, key=_order):
        if len(example.text) <= left:
            selected.append(example)
            left -= len(example.text)
    return selected


def _order(example: Example) -> str:
    return hashlib.sha256(example.text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"data.files: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"data.files: {path}: byte {error.start} is not UTF-8; convert the file"
        ) from None
