from __future__ import annotations

import math

import numpy as np
import pytest
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.ngram import measure_ngram_bits


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_probabilities_are_those_computed_by_hand() -> None:
    """Two characters, the text 0 0 1."""
    train = ids(0, 0, 1)
    # each of two kinds of characters among three: (count + 2 * 1/2) / (3 + 2)
    one = {0: (2 + 1) / 5, 1: (1 + 1) / 5}
    # after 0 came 0 and 1: (1 + 2 * p) / (2 + 2); nothing came after 1
    after_0 = {0: (1 + 2 * one[0]) / 4, 1: (1 + 2 * one[1]) / 4}
    expected = [one[1], one[0], after_0[0], after_0[1]]  # of 1, 0 after 1, 0 after 0, 1 after 0
    bits = measure_ngram_bits(train, ids(1, 0, 0, 1), characters=2, order=2)
    assert bits == pytest.approx(-sum(map(math.log2, expected)) / 4)


def test_probabilities_of_all_characters_sum_to_one() -> None:
    train = np.random.default_rng(0).integers(0, 4, 300)
    context = ids(1, 2, 3)
    total = 0.0
    rest = measure_ngram_bits(train, context, characters=5, order=4) * 3
    for character in range(5):
        text = np.append(context, character)
        total += 2 ** -(measure_ngram_bits(train, text, characters=5, order=4) * 4 - rest)
    assert total == pytest.approx(1.0)


def test_a_longer_context_predicts_a_rule_better() -> None:
    alphabet = Alphabet("\N{REPLACEMENT CHARACTER}ab")
    text = alphabet.encode("aab" * 300)
    short, long = (
        measure_ngram_bits(text, text[:90], characters=len(alphabet), order=order)
        for order in (1, 3)
    )
    assert short == pytest.approx(0.918, abs=0.01)  # the entropy of a third
    assert long < 0.1


def test_an_alphabet_too_large_for_the_order_is_refused() -> None:
    with pytest.raises(ValueError, match="10000 characters are too many for an order of 5"):
        measure_ngram_bits(ids(0, 1, 2, 3, 4, 5), ids(0, 1, 2, 3, 4, 5), characters=10_000)
