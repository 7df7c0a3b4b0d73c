from __future__ import annotations

import random

import numpy as np
import pytest
from valence.training.embeddings import in_domain
from valence.training.embeddings.table import VectorTable

ANIMALS, FRUITS = ("cat", "dog", "horse"), ("apple", "pear", "plum")


def texts() -> list[str]:
    """Return sentences in which animals run and bark, and fruits are ripe and sweet."""
    draw = random.Random(0)
    return [
        sentence
        for _ in range(40)
        for sentence in (
            f"The {draw.choice(ANIMALS)} runs and barks at night.",
            f"A ripe {draw.choice(FRUITS)} tastes sweet.",
        )
    ]


def likeness(table: VectorTable, one: str, other: str) -> float:
    left, right = table.values[table.rows[one]], table.values[table.rows[other]]
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_words_with_equal_neighbours_have_similar_vectors() -> None:
    table = in_domain.learn_vectors(texts(), 5)
    assert table.values.shape == (len(table.rows), 5)
    assert table.values.dtype == np.float32
    for some, others in ((ANIMALS, FRUITS), (FRUITS, ANIMALS)):
        alike = min(likeness(table, one, other) for one in some for other in some)
        assert alike > 0.9
        assert alike > 0.5 + max(likeness(table, one, other) for one in some for other in others)


def test_the_order_of_the_texts_does_not_matter() -> None:
    first, second = in_domain.learn_vectors(texts(), 5), in_domain.learn_vectors(texts()[::-1], 5)
    assert first.rows == second.rows
    np.testing.assert_allclose(first.values, second.values, atol=1e-5)


def test_neighbours_never_cross_the_end_of_a_text() -> None:
    apart = in_domain.learn_vectors(["one two three", "four five six"] * 9, 6)
    assert abs(likeness(apart, "three", "four")) < 1e-5
    together = in_domain.learn_vectors(["one two three four five six"] * 9, 6)
    assert abs(likeness(together, "three", "four")) > 1e-3


def test_numbers_in_the_vocabulary_have_their_own_vectors() -> None:
    """Other numbers share one vector."""
    rated = ["good 10 fine 10", "bad 2 poor 3"] * 9
    assert set(in_domain.learn_vectors(rated, 2).rows) == {
        "good",
        "fine",
        "bad",
        "poor",
        "<number>",
    }
    own = in_domain.learn_vectors(rated, 2, numbers={"10"})
    assert set(own.rows) == {"good", "fine", "bad", "poor", "10", "<number>"}


def test_rare_words_have_no_vector_and_spellings_are_merged() -> None:
    table = in_domain.learn_vectors(["Good GOOD good fine fine"] * 2 + ["fine rare"], 3)
    assert set(table.rows) == {"good", "fine"}
    values, found = table.look_up(["good", "rare", "fine"])
    assert found.tolist() == [True, False, True]
    assert values.shape == (3, 2)  # two words allow no more dimensions


def test_without_frequent_words_no_vectors_are_learnt() -> None:
    for none in ([], [""], ["a few words"]):
        table = in_domain.learn_vectors(none, 4)
        assert table.rows == {}
        values, found = table.look_up(["a", "few"])
        assert values.shape == (2, 4)
        assert not found.any()


def test_counting_texts_in_parts_gives_the_same_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = in_domain.learn_vectors(texts(), 5)
    monkeypatch.setattr(in_domain, "_TEXTS_AT_ONCE", 7)
    parts = in_domain.learn_vectors(texts(), 5)
    assert parts.rows == whole.rows
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-5)
