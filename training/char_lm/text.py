"""The text a character model learns from, and what is held out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.training.char_lm.config import Data
from valence.training.corpora import catalog
from valence.training.corpora.archive import Progress
from valence.training.data.split import split_by_hash

# what stands between two documents
GAP = "\n\n\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text, and what it was labelled as; nothing where nobody did."""

    text: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Documents to learn from, to choose by, and to judge by."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...]
    test: tuple[Document, ...]


def load(data: Data, *, cache: Path, progress: Progress | None = None) -> Texts:
    """The documents ``data`` names, dealt out.

    A corpus's by :mod:`valence.training.data.split`; of a file, which is one long text, the last tenth is the
    test, the one before it dev. Raises :class:`ConfigurationError` for a file that cannot be read
    and for too little text.
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
        text = _read(Path(name))
        tenth = len(text) // 10
        train.append(Document(text[: len(text) - 2 * tenth]))
        dev.append(Document(text[len(text) - 2 * tenth : len(text) - tenth]))
        test.append(Document(text[len(text) - tenth :]))
    if min(len(join(part)) for part in (train, dev, test)) < 2:
        raise ConfigurationError("too little text to learn from and to hold out; name more")
    return Texts(tuple(train), tuple(dev), tuple(test))


def join(documents: Sequence[Document]) -> str:
    """``documents`` as one text."""
    return GAP.join(document.text for document in documents)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"data.files: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"data.files: {path}: byte {error.start} is not UTF-8; convert the file"
        ) from None
