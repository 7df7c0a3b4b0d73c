from __future__ import annotations

import random
import re
from collections import Counter

from valence.training.counterfactuals.ratings import make_ratings


def test_the_side_is_the_part_of_the_most() -> None:
    sides = Counter[int]()
    for text, shares in make_ratings(3_000, random.Random(0)):
        assert sum(shares) == 1.0
        found = re.search(r"(\d+) ?(?:/|out of|of) ?(\d+)", text)
        if found is None:
            continue
        part = int(found[1]) / int(found[2])
        side = 0 if part < 0.5 else 2 if part > 0.7 else 1
        assert max(range(3), key=shares.__getitem__) == side, text
        sides[side] += 1
    assert min(sides.values()) > 200


def test_one_star_is_singular_and_stars_are_of_five() -> None:
    texts = [text.lower() for text, _ in make_ratings(3_000, random.Random(0))]
    assert any(text.startswith("one star") for text in texts)
    assert not [text for text in texts if re.search(r"\b(1|one) stars", text)]
    assert not [text for text in texts if re.search(r"\b([6-9]|10|six|nine|ten)[ -]stars?", text)]
