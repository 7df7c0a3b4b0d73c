"""Held-out texts, rewritten without change of meaning: do they keep their labels?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from valence.training.behaviour.rewriting import REWRITES, Rewrite
from valence.training.behaviour.subject import Subject
from valence.training.comparison.answers import Bools

# rewritings are judged on at most so many texts: a share of 10 % is then known to 2 points
MOST_TEXTS = 1_000


class Rewritten(NamedTuple):
    """A text's place among the held-out ones, and what it was rewritten to."""

    place: int
    text: str


def rewritings(texts: Sequence[str], *, seed: int = 0) -> dict[str, list[Rewritten]]:
    """By the name of each rewriting the texts that it changes, a spread of them if many."""
    found = {name: rewritten(texts, rewrite, seed=seed) for name, rewrite in REWRITES.items()}
    return {name: _spread(pairs) for name, pairs in found.items() if pairs}


def rewritten(texts: Sequence[str], rewrite: Rewrite, *, seed: int) -> list[Rewritten]:
    """The rewriting of each of ``texts`` that ``rewrite`` changes."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    pairs = (Rewritten(place, rewrite(text, chance)) for place, text in enumerate(texts))
    return [pair for pair in pairs if pair.text != texts[pair.place]]


def label_changes(subject: Subject, given: Bools, pairs: Sequence[Rewritten]) -> Bools:
    """Of each of ``pairs`` whether another label is given than was to the text as it is: (P,).

    ``given`` (N, K) are the labels of all held-out texts, in the order of the subject's.
    """
    before = given[np.array([pair.place for pair in pairs])]
    changed: Bools = (subject.given([pair.text for pair in pairs]) != before).any(axis=1)
    return changed


def _spread(pairs: list[Rewritten]) -> list[Rewritten]:
    """Some of all corpora: texts come a corpus after the other."""
    if len(pairs) <= MOST_TEXTS:
        return pairs
    places = np.linspace(0, len(pairs) - 1, MOST_TEXTS).round().astype(int).tolist()
    return [pairs[place] for place in places]
