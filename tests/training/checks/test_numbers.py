from __future__ import annotations

import pytest
from valence.training.checks.numbers import find_alike_numbers


@pytest.mark.parametrize("text", ["12 45 78", "8/10", "1,250.75"])
def test_texts_of_numbers_that_are_one_word_are_a_warning(texts, text: str) -> None:
    (found,) = find_alike_numbers(texts(text, text, "visit"), "alike")
    assert (found.severity, found.count) == ("warning", 2)
    assert 'numbers = "own"' in found.message
    assert find_alike_numbers(texts(text, text), "own") == []


@pytest.mark.parametrize("text", ["room 12 was 45 cold", "mp3 and h2o", ":) !!", ""])
def test_texts_with_some_numbers_are_no_finding(texts, text: str) -> None:
    assert find_alike_numbers(texts(text, text), "alike") == []
