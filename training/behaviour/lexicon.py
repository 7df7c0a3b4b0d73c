"""The words that behavioural tests judge by, which no made training text may add."""

from __future__ import annotations

import itertools

from valence.training.behaviour import fairness, words

WORD_TABLES = (
    words.THINGS, words.DAYS, words.GOOD, words.BAD, words.PLAIN, words.LIKE, words.DISLIKE,
    words.RATHER_GOOD, words.RATHER_BAD, words.INTENSIFIERS, words.DOWNTONERS,
)  # fmt: skip
"""The words that fill the slots of the templates, but for people."""


def list_judged_words() -> frozenset[str]:
    """The words of all tables, lower-case; the last word of an entry of several words."""
    entries = itertools.chain(itertools.chain.from_iterable(WORD_TABLES), fairness.list_terms())
    return frozenset(entry.split()[-1].lower() for entry in entries)
