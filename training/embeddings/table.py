"""What a file or package of vectors holds: a row for each word."""

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
        """The vectors of ``words``, ``(words, size)``, zero for those without, and who has one.

        A hashtag that has none of its own takes that of its word.
        """
        indices = np.array(
            [self.rows.get(word, self.rows.get(word.removeprefix("#"), -1)) for word in words]
        )
        found = indices >= 0
        values = np.zeros((len(indices), self.values.shape[1]), dtype=np.float32)
        values[found] = self.values[indices[found]]
        return values, found
