from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.training.linear.ngram_choice import NGrams, choose_ngrams


def documents(*texts: list[int]) -> list[NDArray[np.int32]]:
    return [np.array(text, dtype=np.int32) for text in texts]


def choose(order: int = 3, minimum_count: int = 1, limit: int = 100) -> NGrams:
    texts = documents([1, 2, 3, 1, 2], [1, 2], [], [2, 0, 3], [3, 1])
    return choose_ngrams(
        texts, vocabulary_size=5, order=order, minimum_count=minimum_count, limit=limit
    )


def as_counts(found: NGrams) -> dict[tuple[int, ...], int]:
    return {
        tuple(int(word) for word in words if word): int(count)
        for words, count in zip(*found, strict=True)
    }


def test_ngrams_are_counted_once_in_each_document() -> None:
    assert as_counts(choose()) == {
        (1,): 3, (2,): 3, (3,): 3, (4,): 0,
        (1, 2): 2, (2, 3): 1, (3, 1): 2,
        (1, 2, 3): 1, (2, 3, 1): 1, (3, 1, 2): 1,
    }  # fmt: skip


def test_no_ngram_has_an_unknown_word_or_two_documents() -> None:
    found = as_counts(choose())
    assert (2, 3) in found  # of the first text, and not across <unk> of the fourth
    assert (2, 1) not in found  # the first text ends with 2, and the second begins with 1


def test_rare_pairs_are_left_out_and_every_word_stays() -> None:
    assert as_counts(choose(minimum_count=2)) == {
        (1,): 3, (2,): 3, (3,): 3, (4,): 0, (1, 2): 2, (3, 1): 2,
    }  # fmt: skip


def test_a_limit_keeps_shorter_and_frequent_ngrams() -> None:
    assert as_counts(choose(limit=3)) == {(1,): 3, (2,): 3, (3,): 3}
    assert as_counts(choose(limit=5)).keys() == {(1,), (2,), (3,), (4,), (1, 2)}
