"""Texts that nobody wrote, for the teacher to label: more to learn its ways from.

Tang et al.: *Distilling Task-Specific Knowledge from BERT into Simple Neural Networks*, 2019, mask
words, replace words, and leave but a few words in a row. Here a masked word is left out, for the
student has no word for a mask, and a word is replaced by any other, as often as that is used; or by
a near one (:mod:`.neighbours`), and then more words are, since the text goes on saying something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from training.distillation.neighbours import Neighbours
from training.folding import fold

_LONGEST_RUN = 5


class _Rates(NamedTuple):
    left_out: float  # of the words
    replaced: float
    cut: float  # of the texts: a run of at most so many words stays


_RATES = _Rates(left_out=0.1, replaced=0.1, cut=0.25)
_NEAR_RATES = _Rates(left_out=0.05, replaced=0.25, cut=0.0)


class Varied(NamedTuple):
    """A text made from the ``origin``-th."""

    origin: int
    text: str


def vary(
    texts: Sequence[str],
    *,
    copies: int,
    seed: int,
    without: Collection[str] = (),
    neighbours: Neighbours | None = None,
) -> Iterator[Varied]:
    """``copies`` of each text with words left out, replaced and cut away.

    A word is replaced by any other, as often as that is used, or by one of its ``neighbours``.
    None comes that is empty, the same as another, or folds (:func:`training.folding.fold`) to one
    of ``texts`` or ``without``. The same seed gives the same, and more copies begin with those that
    fewer give.
    """
    documents = [text.split() for text in texts]
    counts = Counter(word for document in documents for word in document)
    words = np.array(list(counts), dtype=object)
    odds = np.cumsum(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))

    def other(word: str, draw: float) -> str:
        if neighbours is not None:
            return neighbours.instead_of(word, draw)
        return str(words[np.searchsorted(odds, draw * odds[-1], side="right")])

    rates = _RATES if neighbours is None else _NEAR_RATES
    seen = {fold(text) for text in texts} | {fold(text) for text in without}
    for copy in range(copies):
        random = np.random.default_rng((seed, copy))
        for origin, document in enumerate(documents):
            if not document:
                continue
            made = " ".join(_varied(document, other, rates, random))
            key = fold(made)
            if key and key not in seen:
                seen.add(key)
                yield Varied(origin, made)


def _varied(
    document: list[str],
    other: Callable[[str, float], str],
    rates: _Rates,
    random: np.random.Generator,
) -> list[str]:
    if random.random() < rates.cut:
        length = int(random.integers(1, _LONGEST_RUN + 1))
        start = int(random.integers(0, max(0, len(document) - length) + 1))
        document = document[start : start + length]
    fates = random.random(len(document)).tolist()
    draws = random.random(len(document)).tolist()
    return [
        other(word, draw) if fate < rates.left_out + rates.replaced else word
        for word, draw, fate in zip(document, draws, fates, strict=True)
        if fate >= rates.left_out
    ]
