"""The known word that a misspelled one was meant to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# below, most words are a slip away from some other one; above, words are rare and look-ups long
_SHORTEST, _LONGEST = 4, 20


class SpellingIndex:
    """Finds words one slip of the keys away: a letter missing, added, replaced, or two swapped.

    That is a Damerau-Levenshtein distance of 1, which four of five misspellings have (F.J. Damerau:
    *A technique for computer detection and correction of spelling errors*, CACM 7(3), 1964). Among
    several it is the first of ``words``, which are in the order of their frequency. Only words of
    letters are looked at, of any alphabet, on either side.

    Two such words are the same once a letter of each, or of one, is left out; known words are
    indexed by what is left of them then. Of that a key is kept, in 8 bytes with the word's place:
    its letters as the digits of one number, modulo a prime (R.M. Karp, M.O. Rabin: *Efficient
    randomized pattern-matching algorithms*, 1987). So numpy has those of a whole vocabulary in
    a fourth of the time that slices of strings and their hashes take. Other words may share a key:
    what is found is compared.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        places: dict[int, list[int]] = {}
        for place, word in enumerate(words):
            if word.isalpha() and _SHORTEST - 1 <= len(word) <= _LONGEST + 1:
                places.setdefault(len(word), []).append(place)
        keys = [np.empty(0, np.uint32)]
        owners = [np.empty(0, np.int32)]
        for length, own in places.items():
            letters = "".join(words[place] for place in own).encode("utf-32-le")
            of_each, telling = _all_keys(np.frombuffer(letters, np.uint32).reshape(-1, length))
            keys.append(of_each[telling])
            owners.append(np.repeat(np.array(own, np.int32), telling.sum(axis=1)))
        unsorted = np.concatenate(keys)
        order = np.argsort(unsorted)
        self._keys = unsorted[order]
        self._owners = np.concatenate(owners)[order]

    def find(self, word: str) -> int | None:
        """The place of the most frequent word a slip away from ``word``, which is none of them."""
        if not (_SHORTEST <= len(word) <= _LONGEST and word.isalpha()):
            return None
        asked = np.array(_keys(word), np.uint32)
        starts = self._keys.searchsorted(asked)
        ends = self._keys.searchsorted(asked, "right")
        candidates = {
            place
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            if start != end
            for place in self._owners[start:end].tolist()
        }
        words = self._words
        return next((place for place in sorted(candidates) if _a_slip(word, words[place])), None)


# odd, and 2^32 is far from 0 modulo it, or the last letters would count for little
_PRIME = 2_654_435_761
_LETTER_BITS = 32


def _keys(word: str) -> list[int]:
    """The keys of ``word``, and of what is left of it without each of its letters."""
    number, prime = int.from_bytes(word.encode("utf-32-le"), "little"), _PRIME
    return [
        number % prime,
        *[
            (number >> bits + _LETTER_BITS << bits | number & (1 << bits) - 1) % prime
            for bits in range(0, _LETTER_BITS * len(word), _LETTER_BITS)
        ],
    ]


def _all_keys(letters: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """:func:`_keys` of words ``(words, length)``, ``(words, 1 + length)``; and which differ."""
    words, length = letters.shape
    weights = [pow(2, _LETTER_BITS * place, _PRIME) for place in range(length)]
    # no sum comes near 2^64: a letter has 21 bits, a weight 32, and letters are few
    here = letters * np.array(weights, np.uint64)
    moved = letters[:, 1:] * np.array(weights[:-1], np.uint64)
    keys = np.zeros((words, 1 + length), np.uint64)
    keys[:, 0] = here.sum(axis=1)
    keys[:, 2:] = np.cumsum(here[:, :-1], axis=1)
    keys[:, 1:-1] += np.cumsum(moved[:, ::-1], axis=1)[:, ::-1]
    telling = np.ones(keys.shape, bool)
    # without either of two neighbours that are the same letter, the same is left
    telling[:, 2:] = letters[:, 1:] != letters[:, :-1]
    return (keys % _PRIME).astype(np.uint32), telling


def _a_slip(one: str, other: str) -> bool:
    """Whether ``other`` is ``one`` with a letter missing, added, replaced, or two swapped."""
    if len(one) == len(other):
        return _replaced_or_swapped(one, other)
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    at = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    return longer[at + 1 :] == shorter[at:]


def _replaced_or_swapped(one: str, other: str) -> bool:
    """Whether words of one length, which differ, do so in one letter or in two swapped ones."""
    at = next(place for place, letter in enumerate(one) if letter != other[place])
    end = at + 2
    return one[at + 1 :] == other[at + 1 :] or (
        one[end:] == other[end:] and one[at:end] == other[at:end][::-1]
    )
