from __future__ import annotations

import itertools

from valence.training import seeds
from valence.training.seeds import Purpose


def test_seed_purpose_and_number_each_make_another_seed_always_the_same() -> None:
    asked = list(itertools.product(range(5), Purpose, range(50)))
    made = [seeds.derive(*one) for one in asked]
    assert made == [seeds.derive(*one) for one in asked]
    assert len(set(made)) == len(made)
    assert all(0 <= seed < 2**64 for seed in made)
