"""The known word that a misspelled one was meant to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# below, most words are a slip away from some other one; above, words are rare and look-ups long
_SHORTEST, _LONGEST = 4, 20
_ANY = "*"


class Misspellings:
    """Finds words one slip of the keys away: a letter missing, added, replaced, or two swapped.

    That is a Damerau-Levenshtein distance of 1, which four of five misspellings have (F.J. Damerau:
    *A technique for computer detection and correction of spelling errors*, CACM 7(3), 1964). Among
    several it is the first of ``words``, which are in the order of their frequency. Only words of
    letters are looked at, of any alphabet, on either side.

    Each known word is indexed by its patterns, one for each letter in it that may be any; that
    needs no alphabet to try, and nothing found needs to be verified. Of a pattern its hash is kept,
    in 12 bytes instead of a hundred: of 64 bits, keyed anew in each process.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._ids = {
            word: index
            for index, word in enumerate(words)
            if word.isalpha() and _SHORTEST - 1 <= len(word) <= _LONGEST + 1
        }
        hashes = [hash(pattern) for word in self._ids for pattern in _patterns(word)]
        ids = np.repeat(
            np.fromiter(self._ids.values(), dtype=np.int32, count=len(self._ids)),
            np.fromiter(map(len, self._ids), dtype=np.int64, count=len(self._ids)),
        )
        # stable, so that the most frequent word of a pattern comes first
        order = np.argsort(np.array(hashes, dtype=np.int64), kind="stable")
        # one past all hashes spares a look-up its check of bounds
        self._hashes = np.append(np.array(hashes, dtype=np.int64)[order], 0)
        self._owners = np.append(ids[order], np.int32(0))

    def find(self, word: str) -> int | None:
        """The place of the most frequent word a slip away from ``word``, which is none of them."""
        size = len(word)
        if not (_SHORTEST <= size <= _LONGEST and word.isalpha()):
            return None
        halves = [(word[:place], word[place:]) for place in range(size + 1)]
        known = self._ids.get
        slips = [left + right[1:] for left, right in halves[:-1]]
        slips += [left + right[1] + right[0] + right[2:] for left, right in halves[:-2]]
        found = [index for slip in slips if (index := known(slip)) is not None]
        patterns = [left + _ANY + right[1:] for left, right in halves[:-1]]
        patterns += [left + _ANY + right for left, right in halves]
        asked = np.array([hash(pattern) for pattern in patterns], dtype=np.int64)
        places = self._hashes[:-1].searchsorted(asked)
        found += self._owners[places[self._hashes[places] == asked]].tolist()
        return min(found, default=None)


def _patterns(word: str) -> list[str]:
    return [word[:place] + _ANY + word[place + 1 :] for place in range(len(word))]
