"""Which texts are chosen, on numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from valence.training.active_learning.choice import (
    CANDIDATES,
    Worth,
    choose_texts,
    select_candidates,
)


def test_the_larger_of_uncertainty_and_drift_is_the_reason() -> None:
    worth = Worth(np.array([0.2, 0.9]), np.array([0.6, 0.0]))
    np.testing.assert_allclose(worth.total, [0.6, 0.9])
    assert (worth.explain(0), worth.explain(1)) == ("drifting", "uncertain")


def test_candidates_are_the_most_worthy() -> None:
    worth = Worth(np.linspace(0, 1, 50), np.zeros(50))
    assert select_candidates(worth, 3).tolist() == list(range(49, 49 - 3 * CANDIDATES, -1))


@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix])
def test_a_copy_comes_after_what_is_unlike_it(make: type) -> None:
    vectors = make(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    worth = np.array([0.9, 0.89, 0.3, 0.2])
    # distances to the first: 0, 2, 0.8; then to both: 0 and 0.4
    assert choose_texts(worth, vectors, 3) == [0, 2, 3]
    assert choose_texts(worth, vectors, 9) == [0, 2, 3, 1]


def test_texts_of_which_nothing_is_known_may_be_chosen() -> None:
    assert choose_texts(np.array([0.5, 0.4]), np.zeros((2, 3)), 2) == [0, 1]
    assert choose_texts(np.zeros(0), np.zeros((0, 3)), 2) == []
