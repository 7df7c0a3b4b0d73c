from __future__ import annotations

import random

import pytest
from valence.service.classifier.tokenizer import is_emoticon, tokenize
from valence.training.behaviour import perturbations
from valence.training.behaviour.perturbations import PERTURBATIONS


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
        ("place", "Paris Hilton left New York", None),
        ("emoji without feeling", "It broke ", None),
    ],
)
def test_a_rewriting_changes_the_text_as_named(name: str, before: str, after: str | None) -> None:
    found = PERTURBATIONS[name](before, random.Random(0))
    assert found != before
    if after is not None:
        assert found == after


def test_a_typo_swaps_two_inner_letters_of_one_word() -> None:
    for seed in range(50):
        found = PERTURBATIONS["typo"]("it was abcdef ok", random.Random(seed))
        assert found.startswith("it was a")
        assert found.endswith("f ok")
        assert sorted(found) == sorted("it was abcdef ok")


def test_a_number_keeps_its_length_and_a_name_is_replaced() -> None:
    for seed in range(50):
        number = PERTURBATIONS["number"]("42 of 1985", random.Random(seed)).split()
        assert [len(number[0]), len(number[2])] == [2, 4]
        assert PERTURBATIONS["name"]("James", random.Random(seed)) != "James"


def test_countries_replace_countries_and_cities_replace_cities() -> None:
    for seed in range(50):
        found = PERTURBATIONS["place"]("to Rome in Italy, not Romeo", random.Random(seed))
        city, country = found.removeprefix("to ").removesuffix(", not Romeo").split(" in ")
        assert city in perturbations._CITIES
        assert country in perturbations._COUNTRIES
        assert city != "Rome"
        assert country != "Italy"


def test_an_emoji_follows_the_text() -> None:
    found = PERTURBATIONS["emoji without feeling"]("It broke. ", random.Random(0))
    assert found.startswith("It broke. ")
    token = tokenize(found)[-1]
    assert is_emoticon(token.surface)
    assert token.end == len(found)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_an_empty_text_can_be_rewritten(name: str) -> None:
    for text in ("", " ", "."):
        PERTURBATIONS[name](text, random.Random(0))
