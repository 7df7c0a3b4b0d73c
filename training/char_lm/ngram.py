"""A character n-gram model: what a character model must beat, without a network.

Witten and Bell, *The Zero-Frequency Problem* (1991): each order is mixed with the order below, the
more so the more different characters follow the context.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.training.char_lm.alphabet import CharacterIds

ORDER = 5


def measure_ngram_bits(
    train: CharacterIds, test: CharacterIds, *, characters: int, order: int = ORDER
) -> float:
    """Bits per character of ``test`` by the counts of ``train``; ids are below ``characters``.

    A character is predicted from the ``order - 1`` characters before it, or from fewer at the start
    of the text.
    """
    probability = np.full(len(test), 1.0 / characters)
    for length in range(min(order, len(train), len(test))):
        grams, gram_counts = np.unique(_number(train, length + 1, characters), return_counts=True)
        contexts, starts = np.unique(grams // characters, return_index=True)
        totals = np.add.reduceat(gram_counts, starts)
        kinds = np.diff(np.append(starts, len(grams)))
        asked = _number(test, length + 1, characters)
        count = _look_up(grams, gram_counts, asked)
        total = _look_up(contexts, totals, asked // characters)
        kind = _look_up(contexts, kinds, asked // characters)
        known = total > 0  # an unknown context says nothing: the order below stays
        below = probability[length:]
        below[known] = (count + kind * below)[known] / (total + kind)[known]
    return float(-np.log2(probability).mean())


def _number(ids: CharacterIds, length: int, characters: int) -> NDArray[np.int64]:
    """Each ``length`` characters in a row as one number; the last digit is the last character."""
    if characters**length > np.iinfo(np.int64).max:
        raise ValueError(f"{characters} characters are too many for an order of {length}")
    numbers = np.zeros(len(ids) - length + 1, dtype=np.int64)
    for place in range(length):
        numbers = numbers * characters + ids[place : place + len(numbers)]
    return numbers


def _look_up(
    keys: NDArray[np.int64], values: NDArray[np.int64], asked: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The value of each asked key, 0 for a key that is not there. ``keys`` are sorted."""
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0)
