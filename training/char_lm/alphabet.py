"""The alphabet of a character model: its characters and their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "\N{REPLACEMENT CHARACTER}"

CharacterIds = NDArray[np.int64]


class Alphabet:
    """Characters in the order of the network's outputs.

    The first character stands for all characters outside of the alphabet.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        if not self.characters or self.characters[0] != UNKNOWN:
            raise ValueError(f"the first character of an alphabet must be {UNKNOWN!r}")
        self._ids = {character: index for index, character in enumerate(self.characters)}
        if len(self._ids) != len(self.characters) or any(
            len(character) != 1 for character in self.characters
        ):
            raise ValueError("the entries of an alphabet must be single characters, each once")

    @classmethod
    def from_text(cls, text: str, *, minimum_count: int) -> Alphabet:
        """The characters that occur in ``text`` at least ``minimum_count`` times, by code point."""
        counts = Counter(text)
        counts.pop(UNKNOWN, None)
        frequent = (character for character, count in counts.items() if count >= minimum_count)
        return cls((UNKNOWN, *sorted(frequent)))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> CharacterIds:
        """The ids ``(characters,)`` of ``text``; 0 for characters outside of the alphabet."""
        ids = self._ids
        return np.fromiter((ids.get(character, 0) for character in text), np.int64, count=len(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``."""
        return "".join(self.characters[index] for index in ids)
