from __future__ import annotations

import dataclasses
import itertools
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from valence.service.classifier.architecture import Architecture, Cell, Pooling
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.model import RecurrentClassifier, load_tensors
from valence.service.inference.engines.reference import ReferenceEngine


def with_network(artifact: Artifact, **change: object) -> Artifact:
    """Return the artifact with another network of random weights."""
    manifest = artifact.manifest
    architecture = Architecture.model_validate({**manifest.architecture.model_dump(), **change})
    random = np.random.default_rng(3)
    tensors = {
        name: random.standard_normal(shape).astype(np.float32) * 0.5
        for name, shape in architecture.tensor_shapes().items()
    }
    return dataclasses.replace(
        artifact,
        manifest=manifest.model_copy(update={"architecture": architecture}),
        tensors=tensors,
    )


def documents(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(len(lengths))
    return [random.integers(0, 13, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize(
    ("cell", "pooling"), list(itertools.product(get_args(Cell), get_args(Pooling)))
)
def test_logits_equal_those_of_the_network(
    tiny_artifact: Artifact, cell: Cell, pooling: Pooling
) -> None:
    """For one text and for a batch."""
    shaped = with_network(tiny_artifact, cell=cell, pooling=pooling, layers=2)
    engine = ReferenceEngine(shaped)
    texts = documents(5, 0, 1, 17, 2)
    together = engine.logits(texts)
    assert together.shape == (5, 3)
    assert together.dtype == np.float32
    model = RecurrentClassifier(shaped.manifest.architecture).eval()
    load_tensors(model, {name: torch.from_numpy(v) for name, v in shaped.tensors.items()})
    for row, text in enumerate(texts):
        np.testing.assert_allclose(engine.logits([text])[0], together[row], rtol=0, atol=1e-6)
        ids = torch.from_numpy(text).long()[None] if len(text) else torch.zeros((1, 1)).long()
        with torch.inference_mode():
            expected = model(ids, torch.tensor([len(text)]))[0].numpy()
        np.testing.assert_allclose(together[row], expected, rtol=0, atol=1e-6)


class SlicedEngine(ReferenceEngine):
    SLICE_TOKENS = 30


def test_answers_keep_their_order_across_slices(tiny_artifact: Artifact) -> None:
    texts = documents(3, 40, 0, 7, 7, 1, 25, 2)
    whole = ReferenceEngine(tiny_artifact).logits(texts)
    shapes = []

    def watch(model: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(model, RecurrentClassifier):
            shapes.append(tuple(given[0].shape))

    with register_module_forward_pre_hook(watch):
        sliced = SlicedEngine(tiny_artifact).logits(texts)
    np.testing.assert_allclose(sliced, whole, rtol=0, atol=1e-6)
    assert len(shapes) > 2
    assert sum(rows for rows, _ in shapes) == len(texts)
    # a slice stays within its budget unless it is a single text
    assert all(rows == 1 or rows * time <= 30 for rows, time in shapes)


def test_without_documents_there_are_no_rows(tiny_artifact: Artifact) -> None:
    assert ReferenceEngine(tiny_artifact).logits([]).shape == (0, 3)


def test_empty_documents_get_the_output_bias(tiny_artifact: Artifact) -> None:
    logits = ReferenceEngine(tiny_artifact).logits(documents(0, 0))
    np.testing.assert_array_equal(logits, [tiny_artifact.tensors["output.bias"]] * 2)


def test_the_engine_does_not_keep_the_artifacts_memory(tiny_artifact: Artifact) -> None:
    tensors = {name: value.copy() for name, value in tiny_artifact.tensors.items()}
    engine = ReferenceEngine(dataclasses.replace(tiny_artifact, tensors=tensors))
    before = engine.logits(documents(4))
    for value in tensors.values():
        value[...] = 9.0
    np.testing.assert_array_equal(engine.logits(documents(4)), before)
    assert engine.name == "reference-cpu"
