from __future__ import annotations

import pytest
import torch
from torch import nn
from valence.training.trainer.tuned_embedding import TunedEmbedding

ROWS, TUNED = 6, 2
IDS = torch.tensor([[0, 1, 2], [5, 1, 3]])


@pytest.fixture
def whole() -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(ROWS, 4)


def test_its_rows_are_those_of_the_embedding(whole: nn.Embedding) -> None:
    tuned = TunedEmbedding(whole, TUNED)
    assert torch.equal(tuned(IDS), whole(IDS))
    assert torch.equal(tuned.join().weight, whole.weight)


def test_only_the_first_rows_learn(whole: nn.Embedding) -> None:
    tuned = TunedEmbedding(whole, TUNED)
    tuned(IDS).sum().backward()
    gradient = tuned.weight.grad
    assert gradient is not None
    assert gradient[:, 0].tolist() == [1.0, 2.0]
    assert [tuple(value.shape) for value in tuned.state_dict().values()] == [(TUNED, 4)]
    with torch.no_grad():
        tuned.weight += 1.0
    joined = tuned.join().weight
    assert torch.equal(joined[:TUNED], whole.weight[:TUNED] + 1.0)
    assert torch.equal(joined[TUNED:], whole.weight[TUNED:])


@pytest.mark.parametrize("words", [0, ROWS])
def test_a_part_has_some_rows_and_not_all(whole: nn.Embedding, words: int) -> None:
    with pytest.raises(ValueError, match=f"words = {words}"):
        TunedEmbedding(whole, words)
