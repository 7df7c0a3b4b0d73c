from __future__ import annotations

import random
import re

from valence.training.counterfactuals.contrast import (
    NOT_NEGATIVE,
    NOT_POSITIVE,
    PLAIN_NEGATIVE,
    PLAIN_POSITIVE,
)
from valence.training.counterfactuals.distance import make_distant_negations
from valence.training.counterfactuals.frames import Found, Frame

FOUND = Found((Frame("the crew", "was"), Frame("it", "is")), ("friendly",), ("painful",))
NEGATION = re.compile(r"n't\b|\b(?:not|never|no one|nobody|none of|hardly|few of)\b")


def test_a_negation_turns_the_side_of_its_clause() -> None:
    made = list(make_distant_negations(FOUND, 2_000, random.Random(0)))
    assert len(made) == 2_000
    seen = set()
    for text, shares in made:
        positive = "friendly" in text.lower()
        negated = NEGATION.search(text.lower()) is not None
        plain = PLAIN_POSITIVE if positive else PLAIN_NEGATIVE
        assert shares == ((NOT_POSITIVE if positive else NOT_NEGATIVE) if negated else plain)
        seen.add((positive, negated))
    assert len(seen) == 4


def test_nothing_is_made_without_adjectives_of_both_sides() -> None:
    assert list(make_distant_negations(FOUND._replace(negative=()), 9, random.Random(0))) == []
