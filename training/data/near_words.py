"""Near words that may stand for others: the words with the nearest GloVe vectors.

Jiao et al.: *TinyBERT: Distilling BERT for Natural Language Understanding*, Findings of EMNLP 2020,
replace words of texts for a student in this way. A near word of "good" may be "bad"; the teacher
then tells what the new text means. Many of these words are in no training text, so the student
learns words that the training texts lack.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from valence.training.embeddings.table import VectorTable

NEAREST = 15  # as in TinyBERT
# GloVe lists its words by their frequency. The first are punctuation and function words, whose
# vectors are near those of all their neighbours in a text; words rarer than the last are names and
# errors.
_FUNCTION_WORDS = 200
_MOST_FREQUENT = 50_000
_CHUNK_WORDS = 512
_MARKS = string.punctuation


class Neighbours:
    """The :data:`NEAREST` words of each of ``words`` among the most frequent words of ``table``.

    No word becomes one of the ``excluded`` words.
    """

    def __init__(
        self, words: Iterable[str], table: VectorTable, excluded: Collection[str] = ()
    ) -> None:
        frequent = [
            word
            for word, row in table.rows.items()
            if _FUNCTION_WORDS <= row < _MOST_FREQUENT and word.isalpha() and word not in excluded
        ]
        rows = np.array([table.rows[word] for word in frequent])
        vectors = table.values[rows]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        cores = {_strip_marks(word) for word in words}
        replaceable = sorted(core for core in cores if table.rows.get(core, 0) >= _FUNCTION_WORDS)
        queries = table.values[[table.rows[word] for word in replaceable]]
        near: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(replaceable), _CHUNK_WORDS):
            chunk = replaceable[start : start + _CHUNK_WORDS]
            similarity = queries[start : start + _CHUNK_WORDS] @ vectors.T
            count = min(NEAREST + 1, len(frequent))
            nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
            for word, columns in zip(chunk, nearest, strict=True):
                candidates = sorted(frequent[column] for column in columns.tolist())
                near[word] = tuple(other for other in candidates if other != word)[:NEAREST]
        self._near: Mapping[str, tuple[str, ...]] = near

    def replace(self, word: str, draw: float) -> str:
        """A near word of ``word``, chosen by ``draw`` in [0, 1); ``word`` itself if there is none.

        The replacement keeps the punctuation around the word and a capital first letter.
        """
        core = word.strip(_MARKS)
        near = self._near.get(core.lower())
        if not near:
            return word
        replacement = near[int(draw * len(near))]
        if core[0].isupper():
            replacement = replacement.capitalize()
        begin = word.index(core)
        return f"{word[:begin]}{replacement}{word[begin + len(core) :]}"


def _strip_marks(word: str) -> str:
    return word.strip(_MARKS).lower()
