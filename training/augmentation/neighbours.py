"""Words that may stand for others: those whose GloVe vectors are nearest.

As Jiao et al.: *TinyBERT: Distilling BERT for Natural Language Understanding*, Findings of EMNLP
2020, replace words of texts for a student. What stands beside "good" may be "bad": it is the
teacher who says what the new text then means. Many of these words no training text has, so the
student gets to know them.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping

import numpy as np
from valence.training.vectors.table import Table

NEAREST = 15  # as there
# GloVe has its words in the order of their frequency: the first are marks and function words, which
# are near whatever they stand beside, and what is rarer than the last is names and errors
_FUNCTION_WORDS = 200
_MOST_FREQUENT = 50_000
_WORDS_AT_ONCE = 512
_AROUND = string.punctuation


class Neighbours:
    """The :data:`NEAREST` words of each of ``words`` among the most frequent of ``table``."""

    def __init__(self, words: Iterable[str], table: Table) -> None:
        frequent = [
            word
            for word, row in table.rows.items()
            if _FUNCTION_WORDS <= row < _MOST_FREQUENT and word.isalpha()
        ]
        rows = np.array([table.rows[word] for word in frequent])
        vectors = table.values[rows]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        cores = {_core(word) for word in words}
        wanted = sorted(core for core in cores if table.rows.get(core, 0) >= _FUNCTION_WORDS)
        own = table.values[[table.rows[word] for word in wanted]]
        near: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(wanted), _WORDS_AT_ONCE):
            some = wanted[start : start + _WORDS_AT_ONCE]
            likeness = own[start : start + _WORDS_AT_ONCE] @ vectors.T
            most = min(NEAREST + 1, len(frequent))
            places = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
            for word, best in zip(some, places, strict=True):
                others = sorted(frequent[place] for place in best.tolist())
                near[word] = tuple(other for other in others if other != word)[:NEAREST]
        self._near: Mapping[str, tuple[str, ...]] = near

    def instead_of(self, word: str, draw: float) -> str:
        """A word near ``word``, by ``draw`` in [0, 1), within the same marks; itself without one.

        A word that begins with a capital is replaced by one that does.
        """
        core = word.strip(_AROUND)
        near = self._near.get(core.lower())
        if not near:
            return word
        other = near[int(draw * len(near))]
        if core[0].isupper():
            other = other.capitalize()
        begin = word.index(core)
        return f"{word[:begin]}{other}{word[begin + len(core) :]}"


def _core(word: str) -> str:
    return word.strip(_AROUND).lower()
