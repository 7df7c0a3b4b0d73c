"""Correction of misspelled words: the known word that is one typo away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.pacing import background

# Most shorter words are one typo away from another word. Longer words are rare, and their look-ups
# are slow.
_MIN_LETTERS, _MAX_LETTERS = 4, 20
# keys that are equal above so many bits are sorted between two pauses
_RANGE_SHIFT = 27


class SpellingIndex:
    """Finds known words one typo away: a letter missing, added, replaced, or two letters swapped.

    That is a Damerau-Levenshtein distance of 1, which four of five misspellings have (F.J. Damerau:
    *A technique for computer detection and correction of spelling errors*, CACM 7(3), 1964). Of
    several known words the index returns the first in ``words``, which are in the order of their
    frequency. It ignores words with other characters than letters, of any alphabet.

    Two words one typo apart are equal after deletion of one letter in one or both of them. So the
    index has a key for each known word and for each of its deletions. A key takes 8 bytes with the
    index of the word. It is the letters as the digits of one number, modulo a prime (R.M. Karp,
    M.O. Rabin: *Efficient randomized pattern-matching algorithms*, 1987). NumPy computes the keys
    of a whole vocabulary in a fourth of the time that slices of strings and their hashes take.
    Different words may have the same key, so :meth:`find` compares the words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        by_length: dict[int, list[int]] = {}
        numbers = iter(range(len(words)))
        for piece in background.cut(words, background.PIECE_WORDS):
            for word, index in zip(piece, numbers, strict=False):
                if word.isalpha() and _MIN_LETTERS - 1 <= len(word) <= _MAX_LETTERS + 1:
                    by_length.setdefault(len(word), []).append(index)
        keys = [np.empty(0, np.uint32)]
        owners = [np.empty(0, np.int32)]
        for length, indices_of_length in by_length.items():
            for indices in background.cut(indices_of_length, background.PIECE_WORDS):
                letters = "".join(words[index] for index in indices).encode("utf-32-le")
                lines = np.frombuffer(letters, np.uint32).reshape(-1, length)
                word_keys, distinct = _all_keys(lines)
                keys.append(word_keys[distinct])
                owners.append(np.repeat(np.array(indices, np.int32), distinct.sum(axis=1)))
        self._keys, self._owners = _sort(np.concatenate(keys), np.concatenate(owners))

    def find(self, word: str) -> int | None:
        """The index of the most frequent known word one typo away from the unknown ``word``."""
        if not (_MIN_LETTERS <= len(word) <= _MAX_LETTERS and word.isalpha()):
            return None
        wanted = np.array(_keys(word), np.uint32)
        starts = self._keys.searchsorted(wanted)
        ends = self._keys.searchsorted(wanted, "right")
        candidates = {
            index
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            if start != end
            for index in self._owners[start:end].tolist()
        }
        words = self._words
        return next((index for index in sorted(candidates) if _is_typo(word, words[index])), None)


# odd, and 2^32 modulo it is far from 0; otherwise the last letters would hardly change a key
_PRIME = 2_654_435_761
_LETTER_BITS = 32


def _keys(word: str) -> list[int]:
    """The keys of ``word`` and of each of its deletions (``word`` without one letter)."""
    number, prime = int.from_bytes(word.encode("utf-32-le"), "little"), _PRIME
    return [
        number % prime,
        *[
            (number >> bits + _LETTER_BITS << bits | number & (1 << bits) - 1) % prime
            for bits in range(0, _LETTER_BITS * len(word), _LETTER_BITS)
        ],
    ]


def _sort(
    keys: NDArray[np.uint32], owners: NDArray[np.int32]
) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """``keys`` in their order with their owners, a range of keys at a time: they spread evenly."""
    ranges = (keys >> _RANGE_SHIFT).astype(np.uint8)
    sorted_keys, sorted_owners = np.empty_like(keys), np.empty_like(owners)
    first = 0
    for number in range(2 ** (32 - _RANGE_SHIFT)):
        background.pause()
        places = np.flatnonzero(ranges == number)
        places = places[np.argsort(keys[places])]
        last = first + len(places)
        sorted_keys[first:last], sorted_owners[first:last] = keys[places], owners[places]
        first = last
    return sorted_keys, sorted_owners


def _all_keys(letters: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The :func:`_keys` of words ``(words, length)``: keys ``(words, 1 + length)`` and a mask.

    The mask has the same shape and leaves out keys that repeat within a word.
    """
    words, length = letters.shape
    weights = [pow(2, _LETTER_BITS * position, _PRIME) for position in range(length)]
    # sums stay far below 2^64: a letter has 21 bits, a weight 32, and a word has few letters
    here = letters * np.array(weights, np.uint64)
    moved = letters[:, 1:] * np.array(weights[:-1], np.uint64)
    keys = np.zeros((words, 1 + length), np.uint64)
    keys[:, 0] = here.sum(axis=1)
    keys[:, 2:] = np.cumsum(here[:, :-1], axis=1)
    keys[:, 1:-1] += np.cumsum(moved[:, ::-1], axis=1)[:, ::-1]
    distinct = np.ones(keys.shape, bool)
    # deletion of either of two equal neighbours gives the same word
    distinct[:, 2:] = letters[:, 1:] != letters[:, :-1]
    return (keys % _PRIME).astype(np.uint32), distinct


def _is_typo(word: str, other: str) -> bool:
    """Whether ``other`` is ``word`` with a letter missing, added, replaced, or two swapped."""
    if len(word) == len(other):
        return _is_replaced_or_swapped(word, other)
    longer, shorter = (word, other) if len(word) > len(other) else (other, word)
    at = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    return longer[at + 1 :] == shorter[at:]


def _is_replaced_or_swapped(word: str, other: str) -> bool:
    """Whether two different words of the same length differ in one letter or two swapped ones."""
    at = next(index for index, letter in enumerate(word) if letter != other[index])
    end = at + 2
    return word[at + 1 :] == other[at + 1 :] or (
        word[end:] == other[end:] and word[at:end] == other[at:end][::-1]
    )
