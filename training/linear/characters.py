"""The characters of words: a linear model over them has a weight for every word.

A word that a few texts have, or none, then has a part of the weight of words that are written
alike, such as other forms of it (Bojanowski et al.: *Enriching Word Vectors with Subword
Information*, TACL 2017). The weights of the characters are added to those of the words when the
model is fitted, so serving reads words alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_LENGTHS = range(2, 6)
_MINIMUM_WORDS = 2


def make_character_matrix(
    words: Sequence[str], *, limit: int, counts: NDArray[np.int64] | None = None, texts: int = 0
) -> sparse.csr_matrix:
    """``(words, n-grams of characters)``, each row of length 1 or 0.

    The columns are the ``limit`` n-grams of most words, two words at least. Signs and the words for
    a kind of token, such as ``<number>``, have none. With the ``counts`` ``(words,)`` of the
    ``texts`` that have each word, a rare n-gram weighs more in its words than a frequent one.
    """
    holders = Counter(part for word in words for part in set(_split(word)))
    frequent = [(part, count) for part, count in holders.items() if count >= _MINIMUM_WORDS]
    frequent.sort(key=lambda pair: (-pair[1], pair[0]))
    columns = {part: column for column, (part, _) in enumerate(frequent[:limit])}
    indices: list[int] = []
    ends = [0]
    for word in words:
        indices += sorted({columns[part] for part in _split(word) if part in columns})
        ends.append(len(indices))
    shape = (len(words), len(columns))
    matrix = sparse.csr_matrix((np.ones(len(indices)), indices, ends), shape=shape)
    if counts is not None:
        held = np.minimum(matrix.T @ counts, texts)
        matrix = matrix @ sparse.diags(1.0 + np.log((1.0 + texts) / (1.0 + held)))
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1)).A1
    return (sparse.diags(1.0 / np.maximum(lengths, 1e-12)) @ matrix).tocsr()


def _split(word: str) -> Iterator[str]:
    """The n-grams of characters of ``word``, with signs for its beginning and its end."""
    if not word[0].isalnum():
        return
    marked = f"<{word}>"
    for length in _LENGTHS:
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]
