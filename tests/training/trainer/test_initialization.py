from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from valence.service.classifier.architecture import Architecture, Cell
from valence.service.classifier.model import RecurrentClassifier
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.trainer.initialization import initialize


def build(cell: Cell = "lstm", pooling: str = "attention") -> RecurrentClassifier:
    return RecurrentClassifier(
        Architecture.model_validate(
            {
                "vocabulary_size": 300,
                "embedding_size": 6,
                "hidden_size": 8,
                "layers": 2,
                "cell": cell,
                "pooling": pooling,
                "labels": 3,
            }
        )
    )


def weights(model: RecurrentClassifier) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@pytest.mark.parametrize("cell", get_args(Cell))
def test_a_seed_determines_every_parameter(cell: Cell) -> None:
    models = [build(cell) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, torch.nan)
        initialize(model, None, seed=seed)
    first, again, other = map(weights, models)
    for name, value in first.items():
        assert torch.isfinite(value).all()
        assert torch.equal(value, again[name])
    assert not torch.equal(first["output.weight"], other["output.weight"])


@pytest.mark.parametrize("cell", get_args(Cell))
def test_recurrent_weights_are_orthogonal_gate_by_gate(cell: Cell) -> None:
    model = build(cell)
    initialize(model, None, seed=0)
    for name, value in weights(model).items():
        if "weight_hh" in name:
            for gate in torch.split(value, 8):
                torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", get_args(Cell))
def test_biases_are_zero_except_for_the_forget_gate_of_an_lstm(cell: Cell) -> None:
    model = build(cell)
    initialize(model, None, seed=0)
    for name, value in weights(model).items():
        if "bias" in name:
            expected = torch.zeros_like(value)
            if cell == "lstm" and "bias_ih" in name:
                expected[8:16] = 1.0
            assert torch.equal(value, expected)
    assert not weights(model)["attention"].any()


def test_pretrained_columns_hold_the_available_vectors() -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((300, 4)).astype(np.float32)
    found = random.random(300) < 0.5
    values[~found] = 0.0
    model = build()
    initialize(model, WordVectors(values, found), seed=0)
    table = weights(model)["embedding.weight"].numpy()
    np.testing.assert_array_equal(table[found, :4], values[found])
    # the rest is small, random and never zero: rows of words and columns to be learnt
    for rest in (table[~found, :4], table[:, 4:]):
        assert rest.std() == pytest.approx(0.1, rel=0.15)
        assert rest.all()


def test_vectors_change_only_their_columns() -> None:
    with_vectors, without = build(), build()
    values = WordVectors(np.ones((300, 4), np.float32), np.ones(300, np.bool_))
    initialize(with_vectors, values, seed=5)
    initialize(without, None, seed=5)
    left, right = weights(with_vectors), weights(without)
    for name in left:
        if name != "embedding.weight":
            assert torch.equal(left[name], right[name])
    assert torch.equal(left["embedding.weight"][:, 4:], right["embedding.weight"][:, 4:])
