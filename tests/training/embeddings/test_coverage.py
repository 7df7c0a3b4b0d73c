from __future__ import annotations

import numpy as np
import pytest
from valence.training.embeddings.coverage import doubt_vectors, measure_coverage
from valence.training.embeddings.word_vectors import WordVectors

WORDS = ("<unk>", ".", "<number>", "good", "我", "喜")


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ((9, 9, 9, 1, 2, 1), 0.25),  # signs, numbers and unknown words are no words
        ((0, 0, 0, 5, 0, 0), 1.0),
        ((9, 9, 9, 0, 0, 0), None),
    ],
)
def test_coverage_is_the_share_of_the_words_read(
    counts: tuple[int, ...], known: float | None
) -> None:
    found = np.array([False, True, False, True, False, False])
    vectors = WordVectors(np.zeros((len(WORDS), 2), dtype=np.float32), found)
    assert measure_coverage(vectors, WORDS, np.array(counts)) == known


def test_few_known_words_are_told_with_the_remedy() -> None:
    said = doubt_vectors(0.12)
    assert said is not None
    assert said.startswith("the word vectors know 12% of the words of dev")
    assert "words.vectors" in said


@pytest.mark.parametrize("known", [None, 0.5, 1.0])
def test_many_known_words_are_no_doubt(known: float | None) -> None:
    assert doubt_vectors(known) is None
