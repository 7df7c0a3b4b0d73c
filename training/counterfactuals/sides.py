"""The labels of a sentiment by their side, and the words that have a side."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

Shares = tuple[float, float, float]
"""The shares of the negative, the neutral and the positive label."""


class Counterfactual(NamedTuple):
    """A changed copy of a training text, or a sentence made of its clause, and its shares."""

    text: str
    shares: Shares


@dataclass(frozen=True, slots=True)
class Sides:
    """The labels with the lowest, the middle and the highest value; the middle may be missing."""

    negative: str
    neutral: str | None
    positive: str

    @classmethod
    def from_polarity(cls, polarity: Mapping[str, float]) -> Sides:
        """The sides of labels with these values."""
        by_value = sorted(polarity, key=lambda label: polarity[label])
        neutral = next((label for label in by_value if polarity[label] == 0.0), None)
        return cls(by_value[0], neutral, by_value[-1])

    def make_shares(self, shares: Shares) -> dict[str, float]:
        """``shares`` by label; without a neutral label the two others have half of its share."""
        negative, neutral, positive = shares
        if self.neutral is None:
            half = neutral / 2
            return {self.negative: negative + half, self.positive: positive + half}
        return {self.negative: negative, self.neutral: neutral, self.positive: positive}


@functools.cache
def read_lexicon() -> Mapping[str, float]:
    """The valence of each word of VADER's lexicon, from -4 to 4."""
    lexicon: dict[str, float] = SentimentIntensityAnalyzer().lexicon
    return lexicon
