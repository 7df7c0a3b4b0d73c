"""Words and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

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
            if not word or "\n" in word or "\r" in word:
                raise ArtifactError(f"a vocabulary word must be one non-empty line, not {word!r}")
        try:
            "".join(self.words).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ArtifactError(
                f"a vocabulary word holds {error.object[error.start]!r}, half of a character"
            ) from None
        self._ids = {word: index for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            ordered = sorted(self.words)
            repeated = next(a for a, b in pairwise(ordered) if a == b)
            raise ArtifactError(f"the vocabulary holds {repeated!r} twice")
        self._pieces = _Pieces(self._ids)

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, surface: str) -> int:
        """The id of a token as written; 0 if neither it nor an alternative spelling is known."""
        return self._pieces.find(surface)

    def encode(self, text: str, *, max_tokens: int | None = None) -> tuple[WordIds, int]:
        """Word ids of ``text``, ``(tokens,)`` cut at ``max_tokens``, and how many tokens it has."""
        # no token holds white space, so the text's pieces between it are tokenized one by one
        ids = list(chain.from_iterable(map(self._pieces.__getitem__, text.split())))
        return np.array(ids[:max_tokens], dtype=np.int32), len(ids)


class _Pieces(dict[str, tuple[int, ...]]):
    """What stands between white space -> ids of its tokens, filled as pieces are met.

    Cutting and normalizing are paid once a spelling: what people type repeats, and a look-up takes
    a twentieth of the time. Bounded, so that what strangers type cannot grow the process, and only
    known words are kept: anything else may be a name or a password, and does not repeat.
    """

    _LONGEST = 32

    def __init__(self, ids: dict[str, int]) -> None:
        super().__init__()
        self._ids = ids
        self._limit = 4 * len(ids)
        kinds = (tokenizer.URL, tokenizer.USER, tokenizer.NUMBER)
        self._not_kept = {UNKNOWN_ID, *(ids[kind] for kind in kinds if kind in ids)}

    def find(self, surface: str) -> int:
        """The id of one token."""
        word = tokenizer.normalize(surface)
        found = self._ids.get(word)
        if found is None:
            known = map(self._ids.get, tokenizer.alternatives(word))
            return next((index for index in known if index is not None), UNKNOWN_ID)
        return found

    def __missing__(self, piece: str) -> tuple[int, ...]:
        found = tuple(map(self.find, tokenizer.surfaces(piece)))
        if (
            len(piece) <= self._LONGEST
            and len(self) < self._limit
            and self._not_kept.isdisjoint(found)
        ):
            self[piece] = found
        return found
