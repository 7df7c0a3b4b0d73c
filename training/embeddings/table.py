"""The vectors of a file or package: a row for each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.training.embeddings.emoji_names import split_name


@dataclass(frozen=True, slots=True)
class VectorTable:
    """The rows of ``values``, ``(rows, size)``, by word."""

    rows: Mapping[str, int]
    values: NDArray[np.float32]

    def look_up(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The vectors of ``words``, ``(words, size)``, and a mask ``(words,)`` of the words found.

        The vector of a missing word is zero. A hashtag without a vector takes that of its word; an
        emoji without a vector takes the mean of the words of its name.
        """
        indices = np.array(
            [self.rows.get(word, self.rows.get(word.removeprefix("#"), -1)) for word in words]
        )
        found = indices >= 0
        values = np.zeros((len(indices), self.values.shape[1]), dtype=np.float32)
        values[found] = self.values[indices[found]]
        for index in np.flatnonzero(~found).tolist():
            of_name = [self.rows[word] for word in split_name(words[index]) if word in self.rows]
            if of_name:
                values[index] = self.values[of_name].mean(axis=0)
                found[index] = True
        return values, found
