"""Pairs of texts: half of them share a label."""

from __future__ import annotations

import numpy as np
from valence.training.distillation.pairs import draw_pairs


def test_half_of_the_pairs_share_a_label() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    for number in range(20):
        first, second = draw_pairs(labels, np.random.default_rng(number))
        assert (labels[first] == labels[second]).mean() == 0.5
        assert not (first == second).any()


def test_a_label_with_one_text_makes_pairs_with_itself() -> None:
    labels = np.array([0, 1])
    first, second = draw_pairs(labels, np.random.default_rng(0))
    alike = labels[first] == labels[second]
    assert (first == second).tolist() == alike.tolist()


def test_texts_of_one_label_make_pairs_of_that_label() -> None:
    first, second = draw_pairs(np.zeros(5, dtype=np.int64), np.random.default_rng(0))
    assert not (first == second).any()
