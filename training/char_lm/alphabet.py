"""The characters a model knows, and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "\N{REPLACEMENT CHARACTER}"

Characters = NDArray[np.int64]


class Alphabet:
    """Characters in the order of the network's outputs; the first stands for all others."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        if not self.characters or self.characters[0] != UNKNOWN:
            raise ValueError(f"the first character of an alphabet must be {UNKNOWN!r}")
        self._numbers = {character: number for number, character in enumerate(self.characters)}
        if len(self._numbers) != len(self.characters) or any(
            len(character) != 1 for character in self.characters
        ):
            raise ValueError("an alphabet holds single characters, each once")

    @classmethod
    def of(cls, text: str, *, minimum_count: int) -> Alphabet:
        """The characters that ``text`` holds at least ``minimum_count`` times, in code order."""
        counts = Counter(text)
        counts.pop(UNKNOWN, None)
        kept = (one for one, count in counts.items() if count >= minimum_count)
        return cls((UNKNOWN, *sorted(kept)))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Characters:
        """Numbers ``(characters,)``, 0 for what the alphabet lacks."""
        numbers = self._numbers
        return np.fromiter((numbers.get(one, 0) for one in text), np.int64, count=len(text))

    def decode(self, numbers: Iterable[int]) -> str:
        """The text that ``numbers`` stand for."""
        return "".join(self.characters[number] for number in numbers)
