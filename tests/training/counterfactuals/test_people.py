from __future__ import annotations

import random

from valence.training.counterfactuals import people
from valence.training.counterfactuals.contrast import NEUTRAL
from valence.training.counterfactuals.people import (
    insert_group,
    make_introductions,
    make_statements,
)


def test_a_group_is_inserted_before_a_person_and_changes_no_label() -> None:
    chance = random.Random(0)
    for _ in range(200):
        copies = list(insert_group("We met a nurse at noon.", (0.2, 0.5, 0.3), chance))
        assert len(copies) == 2
        for text, shares in copies:
            article, term = (
                text.removeprefix("We met ").removesuffix(" nurse at noon.").split(" ", 1)
            )
            assert term in people.TERMS
            assert article == ("an" if term[0].lower() in "aeiou" else "a")
            assert shares == (0.2, 0.5, 0.3)


def test_a_text_without_a_person_has_no_copies() -> None:
    assert list(insert_group("We met at noon.", (0.0, 1.0, 0.0), random.Random(0))) == []


def test_all_groups_are_in_sentences_of_all_sides() -> None:
    made = list(make_statements(20_000, random.Random(0)))
    assert len(made) == 20_000
    for term in people.TERMS:
        sides = {shares.index(max(shares)) for text, shares in made if f"{term} " in text}
        assert sides == {0, 1, 2}, term


def test_introductions_name_each_group_without_feeling() -> None:
    made = list(make_introductions(20_000, random.Random(0)))
    assert {shares for _, shares in made} == {NEUTRAL}
    texts = "\n".join(text for text, _ in made)
    assert all(term in texts for term in people._INTRODUCED["term"])
    assert "{" not in texts
