from __future__ import annotations

import random

import pytest
from valence.training.counterfactuals.slots import fill_slots

_TABLES = {"fruit": ("apple",), "tool": ("saw for {a_fruit}",), "none": ()}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("No slot.", "No slot."),
        ("The {fruit} and {a_fruit}", "The apple and an apple"),
        ("{a_tool}!", "a saw for an apple!"),
    ],
)
def test_slots_are_filled_with_words_and_articles(template: str, expected: str) -> None:
    assert fill_slots(template, _TABLES, random.Random(0)) == expected


def test_a_slot_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="planet"):
        fill_slots("{planet}", _TABLES, random.Random(0))
