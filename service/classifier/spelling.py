"""The known word that a misspelled one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# below, most words are a slip away from some other one; above, words are rare and look-ups long
_SHORTEST, _LONGEST = 4, 20


class Misspellings:
    """Finds words one slip of the keys away: a letter missing, added, replaced, or two swapped.

    That is a Damerau-Levenshtein distance of 1, which four of five misspellings have (F.J. Damerau:
    *A technique for computer detection and correction of spelling errors*, CACM 7(3), 1964). Among
    several it is the first of ``words``, which are in the order of their frequency. Only words of
    letters are looked at, of any alphabet, on either side.

    Two such words are the same once a letter of each, or of one, is left out; known words are
    indexed by what is left of them then. Of that its hash is kept, in 12 bytes instead of a
    hundred: of 64 bits, keyed anew in each process.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        hashes: list[int] = []
        owners: list[int] = []
        for place, word in enumerate(words):
            if word.isalpha() and _SHORTEST - 1 <= len(word) <= _LONGEST + 1:
                found = {hash(left) for left in _shortened(word)}
                hashes += found
                owners += [place] * len(found)
        unsorted = np.array(hashes, dtype=np.int64)
        order = np.argsort(unsorted)
        self._hashes = unsorted[order]
        self._owners = np.array(owners, dtype=np.int32)[order]

    def find(self, word: str) -> int | None:
        """The place of the most frequent word a slip away from ``word``, which is none of them."""
        if not (_SHORTEST <= len(word) <= _LONGEST and word.isalpha()):
            return None
        for place in sorted(self._candidates([hash(left) for left in _shortened(word)])):
            other = self._words[place]
            if len(other) != len(word) or _replaced_or_swapped(word, other):
                return place
        return None

    def _candidates(self, asked: list[int]) -> Iterable[int]:
        keys: NDArray[np.int64] = np.array(asked, dtype=np.int64)
        starts = self._hashes.searchsorted(keys)
        ends = self._hashes.searchsorted(keys, "right")
        return {
            place
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            if start != end
            for place in self._owners[start:end].tolist()
        }


def _shortened(word: str) -> list[str]:
    """``word``, and what is left of it without each of its letters."""
    return [word, *[word[:place] + word[place + 1 :] for place in range(len(word))]]


def _replaced_or_swapped(one: str, other: str) -> bool:
    """Whether words of one length, which differ, do so in one letter or in two swapped ones."""
    at = next(place for place, letter in enumerate(one) if letter != other[place])
    end = at + 2
    return one[at + 1 :] == other[at + 1 :] or (
        one[end:] == other[end:] and one[at:end] == other[at:end][::-1]
    )
