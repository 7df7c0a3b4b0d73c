from __future__ import annotations

import numpy as np
from valence.training.linear.characters import make_character_matrix


def test_words_written_alike_share_columns() -> None:
    matrix = make_character_matrix(["refund", "refunds", "blue", "!", "<number>"], limit=1_000)
    similar = (matrix @ matrix.T).toarray()
    assert similar[0, 1] > 0.5
    assert similar[0, 2] == 0.0
    np.testing.assert_allclose(np.diag(similar), [1.0, 1.0, 0.0, 0.0, 0.0])


def test_the_number_of_columns_is_bounded() -> None:
    words = ["refund", "refunds", "refunded"]
    assert make_character_matrix(words, limit=4).shape == (3, 4)
    assert make_character_matrix(words, limit=0).nnz == 0


def test_a_rare_part_weighs_more_than_a_frequent_one() -> None:
    words = ["abxx", "abyy", "abzz", "qqxx"]
    counts = np.array([50, 30, 20, 1])
    plain = make_character_matrix(words, limit=100)
    scaled = make_character_matrix(words, limit=100, counts=counts, texts=100)
    assert plain.shape == scaled.shape
    np.testing.assert_allclose(scaled.multiply(scaled).sum(axis=1), 1.0)
    # all of the first row's parts are alike in one, and those that few texts have weigh more
    first = scaled[0].toarray()[0]
    assert len(set(plain[0].data.tolist())) == 1
    assert first.max() > 1.2 * first[first > 0].min()
