"""The vectors of a file or package: a row for each word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class VectorTable:
    """The rows of ``values``, ``(rows, size)``, by word."""

    rows: Mapping[str, int]
    values: NDArray[np.float32]

    def look_up(self, words: Iterable[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The vectors of ``words``, ``(words, size)``, and a mask ``(words,)`` of the words found.

        The vector of a missing word is zero. A hashtag without a vector takes that of its word.
        """
        indices = np.array(
            [self.rows.get(word, self.rows.get(word.removeprefix("#"), -1)) for word in words]
        )
        found = indices >= 0
        values = np.zeros((len(indices), self.values.shape[1]), dtype=np.float32)
        values[found] = self.values[indices[found]]
        return values, found
