from __future__ import annotations

import random

import pytest

from training.gate.behaviour import REWRITES, rewritten


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("lower case", "A Film", "a film"),
        ("closing punctuation", "It broke!?  ", "It broke"),
        ("closing punctuation", "It broke", "It broke."),
        ("typo", "a wordy b", None),
        ("white space", "a b", "a  b"),
        ("contraction", "Don't say it's so", "Do not say it is so"),
        ("name", "James left", None),
        ("number", "in 1985", None),
    ],
)
def test_a_rewriting_changes_what_its_name_says(name: str, before: str, after: str | None) -> None:
    found = REWRITES[name](before, random.Random(0))
    assert found != before
    if after is not None:
        assert found == after


def test_a_typo_swaps_two_inner_letters_of_one_word() -> None:
    for seed in range(50):
        found = REWRITES["typo"]("it was abcdef ok", random.Random(seed))
        assert found.startswith("it was a")
        assert found.endswith("f ok")
        assert sorted(found) == sorted("it was abcdef ok")


def test_a_number_keeps_its_digits_and_a_name_becomes_another() -> None:
    for seed in range(50):
        number = REWRITES["number"]("42 of 1985", random.Random(seed)).split()
        assert [len(number[0]), len(number[2])] == [2, 4]
        assert REWRITES["name"]("James", random.Random(seed)) != "James"


def test_texts_that_stay_as_they_are_are_left_out_and_places_are_kept() -> None:
    found = rewritten(["low", "High", "low"], REWRITES["lower case"], seed=0)
    assert found == [(1, "high")]


@pytest.mark.parametrize("name", REWRITES)
def test_a_text_of_nothing_can_be_rewritten(name: str) -> None:
    for text in ("", " ", "."):
        REWRITES[name](text, random.Random(0))


def test_the_same_seed_rewrites_alike() -> None:
    texts = ["a wordy thing", "another thing here"] * 20
    assert rewritten(texts, REWRITES["typo"], seed=3) == rewritten(texts, REWRITES["typo"], seed=3)
