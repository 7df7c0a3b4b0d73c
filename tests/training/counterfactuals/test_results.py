from __future__ import annotations

import random
import re
from collections import Counter

from valence.training.counterfactuals import results
from valence.training.counterfactuals.results import make_results

_SAYS = (
    (results._WELCOME, results._UP, 2),
    (results._WELCOME, results._DOWN, 0),
    (results._UNWELCOME, results._UP, 0),
    (results._UNWELCOME, results._DOWN, 2),
    (results._INDIFFERENT, (*results._UP, *results._DOWN), 1),
)


def test_what_a_figure_says_depends_on_the_figure_and_its_way() -> None:
    sides, seen = Counter[int](), Counter[int]()
    for text, shares in make_results(7_000, random.Random(0)):
        side = max(range(3), key=shares.__getitem__)
        sides[side] += 1
        for row, (quantities, verbs, expected) in enumerate(_SAYS):
            spoken = (f"{quantity} {verb} ".lower() for quantity in quantities for verb in verbs)
            if any(words in text.lower() for words in spoken):
                seen[row] += 1
                assert side == expected, text
    assert sides == {0: 2_000, 1: 3_000, 2: 2_000}
    assert len(seen) == len(_SAYS)
    assert min(seen.values()) > 100


def test_a_figure_that_rises_ends_higher() -> None:
    pairs = [
        re.findall(r"from ([0-9.]+) .* to ([0-9.]+) ", text)
        for text, _ in make_results(9_000, random.Random(0))
        if " rose from " in text
    ]
    assert len(pairs) > 5
    assert all(float(before) <= float(after) for pair in pairs for before, after in pair)
