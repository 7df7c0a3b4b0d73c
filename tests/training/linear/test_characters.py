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
