from __future__ import annotations

import itertools

from valence.training.runtime import seeds
from valence.training.runtime.seeds import Purpose


def test_a_derived_seed_depends_on_seed_purpose_and_number() -> None:
    """And on nothing else."""
    asked = list(itertools.product(range(5), Purpose, range(50)))
    made = [seeds.derive(*one) for one in asked]
    assert made == [seeds.derive(*one) for one in asked]
    assert len(set(made)) == len(made)
    assert all(0 <= seed < 2**64 for seed in made)
