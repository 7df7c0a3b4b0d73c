"""Words and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.classifier import tokenizer
from service.errors import ArtifactError

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

WordIds = NDArray[np.int32]


class Vocabulary:
    """The words a classifier knows; a word's id is its line in ``vocabulary.txt``.

    Id 0 is ``<unk>``. There is no padding word: batches are ragged, or masked by length.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        if not self.words or self.words[UNKNOWN_ID] != UNKNOWN:
            raise ArtifactError(f"the first word of a vocabulary must be {UNKNOWN!r}")
        for word in self.words:
            if not word or word != word.strip("\r\n") or "\n" in word:
                raise ArtifactError(f"a vocabulary word must be one non-empty line, not {word!r}")
        self._ids = {word: index for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            ordered = sorted(self.words)
            repeated = next(a for a, b in pairwise(ordered) if a == b)
            raise ArtifactError(f"the vocabulary holds {repeated!r} twice")
        self._lookup = _Lookup(self._ids)

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, surface: str) -> int:
        """The id of a token as written; 0 if neither it nor an alternative spelling is known."""
        return self._lookup[surface]

    def encode(self, text: str, *, max_tokens: int | None = None) -> tuple[WordIds, int]:
        """Word ids of ``text``, ``(tokens,)`` cut at ``max_tokens``, and how many tokens it has."""
        lookup = self._lookup
        surfaces = tokenizer.surfaces(text)
        total = len(surfaces)
        if max_tokens is not None and total > max_tokens:
            surfaces = surfaces[:max_tokens]
        return np.array([lookup[surface] for surface in surfaces], dtype=np.int32), total


class _Lookup(dict[str, int]):
    """Surface form -> id, filled as forms are met, so that normalizing is paid once a form.

    Bounded: what strangers type must not grow the process, so a full table stops learning.
    """

    def __init__(self, ids: dict[str, int]) -> None:
        super().__init__()
        self._ids = ids
        self._limit = 4 * len(ids)

    def __missing__(self, surface: str) -> int:
        word = tokenizer.normalize(surface)
        found = self._ids.get(word)
        if found is None:
            known = (self._ids.get(other) for other in tokenizer.alternatives(word))
            found = next((index for index in known if index is not None), UNKNOWN_ID)
        # an unknown form is not kept: it may be anything, a name or a password among them
        if found != UNKNOWN_ID and len(self) < self._limit:
            self[surface] = found
        return found
