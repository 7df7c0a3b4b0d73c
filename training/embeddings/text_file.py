"""Vectors in the text format of GloVe and word2vec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from valence.service.errors import ConfigurationError
from valence.training.embeddings.table import VectorTable


def read_vectors(path: Path) -> VectorTable:
    """The vectors in the file at ``path``: one word and its numbers per line, blank-separated.

    The first line of word2vec's format has two counts. A word may contain blanks (some words of
    GloVe's 840 billion tokens do), except the first word. ``torchtext.vocab.Vectors`` is not used:
    it leaves a pickle beside the file, reads that pickle the next time, and turns off the
    verification of TLS certificates for the whole process. Raises :class:`ConfigurationError` for a
    file that cannot be read.
    """
    rows: dict[str, int] = {}
    table: list[NDArray[np.float32]] = []
    number = 0
    try:
        # A number too large for fp32 becomes infinite, and is refused below.
        with path.open(encoding="utf-8", newline="\n") as file, np.errstate(over="ignore"):
            for number, line in enumerate(file, start=1):
                word, *numbers = line.rstrip().rsplit(" ", len(table[0]) if table else -1)
                if number == 1 and len(numbers) == 1:
                    continue
                row = np.array(numbers, dtype=np.float32)
                if len(row) == 0 or (table and len(row) != len(table[0])):
                    expected = len(table[0]) if table else "some"
                    raise ValueError(f"it holds {len(row)} numbers, expected {expected}")
                if not np.isfinite(row).all():
                    raise ValueError("it holds a number that is not finite")
                if rows.setdefault(word, len(table)) == len(table):
                    table.append(row)
    except FileNotFoundError:
        raise ConfigurationError(
            f"words.vectors: {path}: no such file; give one in GloVe or word2vec text format, "
            "or the name of published ones"
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
    return VectorTable(rows, np.stack(table))
