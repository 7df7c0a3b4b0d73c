from __future__ import annotations

import itertools
from typing import get_args

import pytest
from pydantic import ValidationError
from valence.service.classifier.architecture import Architecture, Cell, Pooling
from valence.service.classifier.model import RecurrentClassifier, tensors

SIZES = {"vocabulary_size": 7, "embedding_size": 3, "hidden_size": 2, "labels": 3}


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional", "layers"),
    list(itertools.product(get_args(Cell), get_args(Pooling), [True, False], [1, 3])),
)
def test_every_tensor_is_listed_with_its_shape(
    cell: Cell, pooling: Pooling, bidirectional: bool, layers: int
) -> None:
    architecture = Architecture(
        **SIZES, cell=cell, pooling=pooling, bidirectional=bidirectional, layers=layers
    )
    found = {
        name: tuple(value.shape)
        for name, value in tensors(RecurrentClassifier(architecture)).items()
    }
    assert found == architecture.tensor_shapes()


def test_shapes_equal_those_computed_by_hand() -> None:
    architecture = Architecture(**SIZES, layers=2, pooling="max_mean")
    assert (architecture.directions, architecture.width, architecture.pooled_width) == (2, 4, 8)
    shapes = architecture.tensor_shapes()
    assert shapes["recurrent.weight_ih_l0"] == (8, 3)
    assert shapes["recurrent.weight_ih_l1_reverse"] == (8, 4)
    assert shapes["recurrent.weight_hh_l1"] == (8, 2)
    assert shapes["output.weight"] == (3, 8)
    assert "attention" not in shapes
    one_way = Architecture(**SIZES, bidirectional=False, cell="gru", pooling="attention")
    assert one_way.tensor_shapes()["attention"] == (2,)
    assert one_way.tensor_shapes()["recurrent.bias_hh_l0"] == (6,)
    assert not any("reverse" in name for name in one_way.tensor_shapes())


@pytest.mark.parametrize(
    "change",
    [
        {"labels": 1},
        {"layers": 0},
        {"hidden_size": 0},
        {"vocabulary_size": 0},
        {"cell": "transformer"},
        {"pooling": "min"},
        {"heads": 4},
    ],
)
def test_an_invalid_architecture_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        Architecture.model_validate({**SIZES, **change})
