"""Which part of the words of texts the word vectors know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.tokenizer import NUMBER, URL, USER
from valence.service.classifier.vocabulary import UNKNOWN
from valence.training.embeddings.word_vectors import WordVectors

# With a smaller share, the network reads most of a text by vectors that mean nothing at first.
KNOWN = 0.5
_KINDS = frozenset((UNKNOWN, NUMBER, URL, USER))


def measure_coverage(
    vectors: WordVectors, words: Sequence[str], counts: NDArray[np.int64]
) -> float | None:
    """The share of the texts' words that a source of ``vectors`` has; None without words.

    ``counts`` ``(words,)`` says how often the texts have each of ``words``. Signs count as little
    as the words for kinds, such as numbers: every language has them.
    """
    is_word = np.array([word not in _KINDS and any(map(str.isalnum, word)) for word in words])
    total = int(counts[is_word].sum())
    return float(counts[is_word & vectors.found].sum() / total) if total else None


def doubt_vectors(known: float | None) -> str | None:
    """The doubt about vectors that know the share ``known`` of the words of dev; else None."""
    if known is None or known >= KNOWN:
        return None
    return (
        f"the word vectors know {known:.0%} of the words of dev, and the others are learnt from "
        "these texts alone: name vectors of their language in words.vectors, as a file or as the "
        "folder of a multilingual sentence encoder"
    )
