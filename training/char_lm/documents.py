"""The training and held-out documents of a character model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.training.char_lm.config import CharacterData
from valence.training.corpora import catalog
from valence.training.corpora.archive import Progress
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

    :mod:`valence.training.data.split` splits the documents of a corpus. A file is one long text:
    its last tenth is the test text, the tenth before is the dev text. Raises
    :class:`ConfigurationError` for a file that cannot be read and for too little text.
    """
    train: list[Document] = []
    dev: list[Document] = []
    test: list[Document] = []
    if data.corpora:
        loaded = catalog.load_corpora(data.corpora, cache=cache, progress=progress)
        splits = split_by_hash(loaded.examples)
        for part, examples in ((train, splits.train), (dev, splits.dev), (test, splits.test)):
            part += [Document(example.text, " ".join(example.labels)) for example in examples]
    for name in data.files:
        text = _read_text(Path(name))
        tenth = len(text) // 10
        train.append(Document(text[: len(text) - 2 * tenth]))
        dev.append(Document(text[len(text) - 2 * tenth : len(text) - tenth]))
        test.append(Document(text[len(text) - tenth :]))
    if min(len(join_documents(part)) for part in (train, dev, test)) < 2:
        raise ConfigurationError("too little text for train, dev and test; add files or corpora")
    return DocumentSplits(tuple(train), tuple(dev), tuple(test))


def join_documents(documents: Sequence[Document]) -> str:
    """``documents`` as one text."""
    return GAP.join(document.text for document in documents)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"data.files: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"data.files: {path}: byte {error.start} is not UTF-8; convert the file"
        ) from None
