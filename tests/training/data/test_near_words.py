from __future__ import annotations

import numpy as np
import pytest
from valence.training.data.near_words import NEAREST, Neighbours
from valence.training.embeddings.table import VectorTable

FUNCTION_WORDS = [f"the{place}" for place in range(200)]


def table(**vectors: list[float]) -> VectorTable:
    """Return a table of function words, which are near all words, followed by ``vectors``."""
    rows = {word: row for row, word in enumerate((*FUNCTION_WORDS, *vectors))}
    values = [[1.0, 1.0]] * len(FUNCTION_WORDS) + list(vectors.values())
    return VectorTable(rows, np.array(values, dtype=np.float32))


@pytest.fixture
def neighbours() -> Neighbours:
    kinds = {
        f"argon{letter}": [1.0, 0.01 * place] for place, letter in enumerate("abcdefghijklmnop")
    }
    others = {"lyon": [0.0, 2.0], "paris": [0.1, 1.0], "b2": [0.0, 1.0], "rome": [0.05, 5.0]}
    return Neighbours(["argona", "Lyon", "the0", "unheard"], table(**kinds, **others))


def test_a_word_is_replaced_by_one_of_its_nearest_words(neighbours: Neighbours) -> None:
    made = {neighbours.replace("argona", draw) for draw in np.linspace(0.0, 0.9999, 200)}
    assert made == {f"argon{letter}" for letter in "bcdefghijklmnop"}
    assert len(made) == NEAREST


def test_punctuation_and_capitals_of_a_word_stay(neighbours: Neighbours) -> None:
    made = {neighbours.replace('"Lyon,"', draw) for draw in np.linspace(0.0, 0.9999, 200)}
    assert {'"Paris,"', '"Rome,"'} < made
    assert all(text[1].isupper() and text.startswith('"') and text.endswith(',"') for text in made)


@pytest.mark.parametrize("word", ["the0", "unheard", "paris", "...", "b2"])
def test_a_word_without_neighbours_is_unchanged(neighbours: Neighbours, word: str) -> None:
    """These are function words, words without a vector, and words that were not requested."""
    assert neighbours.replace(word, 0.3) == word
