from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.pretraining.cutoffs import DIVISOR, choose


def zipf(words: int) -> np.ndarray:
    return (1e6 / np.arange(1, words + 1)).astype(np.int64)


@given(st.integers(2, 200), st.integers(2, 40))
@settings(max_examples=20, deadline=None)
def test_a_softmax_can_be_cut_where_it_is_said(words: int, units: int) -> None:
    cutoffs = choose(zipf(words), units=units)
    assert list(cutoffs) == sorted(set(cutoffs))
    softmax = torch.nn.AdaptiveLogSoftmaxWithLoss(units, words, cutoffs, div_value=DIVISOR)
    # each cluster is told from one value at least
    assert all(parameter.numel() for parameter in softmax.parameters())
    told = softmax.log_prob(torch.ones(1, units))
    torch.testing.assert_close(told.exp().sum(), torch.tensor(1.0))


def test_words_that_are_not_there_have_a_cluster_of_their_own() -> None:
    counts = np.zeros(10_000, dtype=np.int64)
    counts[:64] = 1_000
    assert choose(counts, units=128)[-1] == 64


def test_many_words_are_cut_into_more_clusters_than_few() -> None:
    assert len(choose(zipf(30_000), units=128)) == 3
    assert len(choose(zipf(2), units=128)) == 1


@pytest.mark.parametrize("units", [64, 128, 512])
def test_wider_states_make_the_head_smaller(units: int) -> None:
    assert choose(zipf(20_000), units=2 * units)[0] <= choose(zipf(20_000), units=units)[0]
