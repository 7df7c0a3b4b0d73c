"""Texts that nobody wrote, for the teacher to label: more to learn its ways from.

Tang et al.: *Distilling Task-Specific Knowledge from BERT into Simple Neural Networks*, 2019, mask
words, replace words, and leave but a few words in a row. Here a masked word is left out, for the
student has no word for a mask, and a word is replaced by any other, as often as that is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from training.folding import fold

_LEFT_OUT = 0.1  # of the words
_REPLACED = 0.1
_CUT = 0.25  # of the texts: a run of at most so many words stays
_LONGEST_RUN = 5


class Varied(NamedTuple):
    """A text made from the ``origin``-th."""

    origin: int
    text: str


def vary(
    texts: Sequence[str], *, copies: int, seed: int, without: Collection[str] = ()
) -> Iterator[Varied]:
    """``copies`` of each text with words left out, replaced and cut away.

    None comes that is empty, the same as another, or folds (:func:`training.folding.fold`) to one
    of ``texts`` or ``without``. The same seed gives the same, and more copies begin with those that
    fewer give.
    """
    documents = [text.split() for text in texts]
    counts = Counter(word for document in documents for word in document)
    words = np.array(list(counts), dtype=object)
    odds = np.cumsum(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))
    seen = {fold(text) for text in texts} | {fold(text) for text in without}
    for copy in range(copies):
        random = np.random.default_rng((seed, copy))
        for origin, document in enumerate(documents):
            if not document:
                continue
            made = " ".join(_varied(document, words, odds, random))
            key = fold(made)
            if key and key not in seen:
                seen.add(key)
                yield Varied(origin, made)


def _varied(
    document: list[str], words: np.ndarray, odds: np.ndarray, random: np.random.Generator
) -> list[str]:
    if random.random() < _CUT:
        length = int(random.integers(1, _LONGEST_RUN + 1))
        start = int(random.integers(0, max(0, len(document) - length) + 1))
        document = document[start : start + length]
    fate = random.random(len(document))
    others = words[np.searchsorted(odds, random.random(len(document)) * odds[-1], side="right")]
    return [
        other if of < _LEFT_OUT + _REPLACED else word
        for word, other, of in zip(document, others, fate, strict=True)
        if of >= _LEFT_OUT
    ]
