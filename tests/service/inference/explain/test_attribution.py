"""The rules of attribution, compared with the torch model, gradients and integrated gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.model import RecurrentClassifier, load_tensors
from valence.service.classifier.vocabulary import Vocabulary, WordIds
from valence.service.inference.engines.native import unavailable_reason
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.inference.explain.attribution import NumpyAttributor
from valence.service.inference.explain.native import NativeAttributor, attribution_paths

REASON = unavailable_reason()
PATHS = attribution_paths() if REASON is None else ()
needs_kernel = pytest.mark.skipif(REASON is not None, reason=str(REASON))

WORDS = 50
CELLS = ("lstm", "gru", "rnn")
POOLINGS = ("last", "max", "mean", "max_mean", "attention")


def build(*, seed: int = 0, scale: float = 2.0, **shape: Any) -> Artifact:
    """Return random weights larger than those of a fresh network, so that gates are not linear.

    With a small ``scale`` the network is nearly linear.
    """
    architecture = Architecture(
        **{"vocabulary_size": WORDS, "embedding_size": 7, "labels": 3, "hidden_size": 9} | shape
    )
    random = np.random.default_rng(seed)
    bound = scale / architecture.hidden_size**0.5
    tensors = {
        name: random.uniform(-bound, bound, size).astype(np.float32)
        for name, size in architecture.tensor_shapes().items()
    }
    vocabulary = Vocabulary(["<unk>", *(f"w{i}" for i in range(1, WORDS))])
    return Artifact(Manifest.model_construct(architecture=architecture), vocabulary, tensors)


def text(length: int, *, seed: int = 1) -> WordIds:
    return np.random.default_rng(seed).integers(0, WORDS, length, dtype=np.int32)


def integrated_gradients(artifact: Artifact, ids: WordIds, label: int) -> np.ndarray:
    """Compute integrated gradients in 256 steps from the ``<unk>`` embedding to each token's."""
    steps = 256
    model = RecurrentClassifier(artifact.manifest.architecture)
    load_tensors(model, {n: torch.from_numpy(v.copy()) for n, v in artifact.tensors.items()})
    words = model.embedding.weight.detach()[torch.from_numpy(ids).long()]
    unknown = model.embedding.weight.detach()[0].expand_as(words)
    share = ((torch.arange(steps) + 0.5) / steps)[:, None, None]
    path = (unknown + share * (words - unknown)).requires_grad_()
    model.embedding.forward = lambda _: path
    lengths = torch.full((steps,), len(ids))
    logits = model(torch.zeros(steps, len(ids), dtype=torch.long), lengths)
    (gradient,) = torch.autograd.grad(logits[:, label].sum(), path)
    return (gradient.mean(dim=0) * (words - unknown)).sum(dim=1).numpy()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_contributions_sum_to_the_difference_of_logits(cell, pooling):
    """The reference engine gives the same difference."""
    for layers, bidirectional in product((1, 2), (True, False)):
        artifact = build(cell=cell, pooling=pooling, layers=layers, bidirectional=bidirectional)
        attributor = NumpyAttributor(artifact)
        for length in (0, 1, 2, 30):
            ids = text(length)
            expected = ReferenceEngine(artifact).logits([ids, np.zeros_like(ids)])
            for label in range(3):
                found = attributor.attribute(ids, label)
                assert found.contributions.shape == (length,)
                assert found.contributions.dtype == np.float32
                assert found.logit == pytest.approx(expected[0, label], abs=1e-4)
                assert found.baseline_logit == pytest.approx(expected[1, label], abs=1e-4)
                added = found.contributions.sum(dtype=np.float64)
                assert added == pytest.approx(found.logit - found.baseline_logit, abs=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_nearly_linear_network_has_integrated_gradients(cell, pooling):
    # all rules agree with integrated gradients to first order; max pooling stays piecewise linear
    artifact = build(cell=cell, pooling=pooling, layers=2, scale=0.3)
    ids = text(12)
    found = NumpyAttributor(artifact).attribute(ids, 1).contributions
    expected = integrated_gradients(artifact, ids, 1)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_an_unknown_word_contributes_nothing():
    ids = text(20)
    ids[[0, 7, 19]] = 0
    contributions = NumpyAttributor(build(layers=2)).attribute(ids, 0).contributions
    assert (contributions == 0).tolist() == (ids == 0).tolist()


def test_a_text_of_unknown_words_equals_its_baseline():
    found = NumpyAttributor(build()).attribute(np.zeros(8, dtype=np.int32), 2)
    assert found.logit == found.baseline_logit
    assert not found.contributions.any()


def test_saturated_gates_stay_exact():
    attributor = NumpyAttributor(build(scale=300.0))
    for seed in range(5):
        found = attributor.attribute(text(40, seed=seed), 0)
        added = found.contributions.sum(dtype=np.float64)
        assert added == pytest.approx(found.logit - found.baseline_logit, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_activations_are_the_last_hidden_states_in_text_order(cell):
    artifact = build(cell=cell, layers=2)
    model = RecurrentClassifier(artifact.manifest.architecture)
    load_tensors(model, {n: torch.from_numpy(v.copy()) for n, v in artifact.tensors.items()})
    ids = text(15)
    with torch.no_grad():
        hidden = model.embedding(torch.from_numpy(ids).long())[None]
        for forward, backward in zip(model.left_to_right, model.right_to_left, strict=True):
            right_to_left = backward(hidden.flip(1))[0].flip(1)
            hidden = torch.cat([forward(hidden)[0], right_to_left], dim=2)
    found = NumpyAttributor(artifact).activations(ids)
    assert found.shape == (15, 2, 9)
    np.testing.assert_allclose(found.reshape(15, 18), hidden[0].numpy(), atol=1e-5)
    assert NumpyAttributor(artifact).activations(ids[:0]).shape == (0, 2, 9)


@needs_kernel
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_kernel_path_agrees_with_the_numpy_definition(cell, pooling):
    # a few units, many units, and a number that is not a multiple of any vector length
    for layers, bidirectional, hidden in product((1, 2), (True, False), (1, 9, 40)):
        # keep saturated states apart, because rounding decides which one is the largest
        artifact = build(
            cell=cell, pooling=pooling, layers=layers, bidirectional=bidirectional,
            hidden_size=hidden, scale=1.0,
        )  # fmt: skip
        defined = NumpyAttributor(artifact)
        kernels = {path: NativeAttributor(artifact, path=path) for path in PATHS}
        for length in (0, 1, 2, 12):
            ids = text(length)
            expected, states = defined.attribute(ids, 1), defined.activations(ids)
            for path, kernel in kernels.items():
                # this path computes another network, whose recurrent weights are rounded
                near = 1e-3 if path.endswith("int16") else 1e-4
                found = kernel.attribute(ids, 1)
                np.testing.assert_allclose(found.contributions, expected.contributions, atol=near)
                assert found.logit == pytest.approx(expected.logit, abs=near)
                assert found.baseline_logit == pytest.approx(expected.baseline_logit, abs=near)
                added = found.contributions.sum(dtype=np.float64)
                assert added == pytest.approx(found.logit - found.baseline_logit, abs=1e-4)
                np.testing.assert_allclose(kernel.activations(ids), states, atol=near / 10)


@needs_kernel
@pytest.mark.parametrize("cell", CELLS)
def test_kernel_state_between_texts_never_changes_results(cell):
    artifact = build(cell=cell, layers=2)
    for path in PATHS:
        used = NativeAttributor(artifact, path=path)
        for length in (2, 70, 1, 200, 64):
            found = used.attribute(text(length, seed=length), 1)
            fresh = NativeAttributor(artifact, path=path).attribute(text(length, seed=length), 1)
            assert found[1:] == fresh[1:]
            assert (found.contributions == fresh.contributions).all()


@needs_kernel
@pytest.mark.parametrize("cell", CELLS)
def test_kernel_contributions_sum_up_for_saturated_long_texts(cell):
    # beyond this a plain recurrence is chaotic: differences grow without bound on the way back
    scale = 1.0 if cell == "rnn" else 8.0
    artifact = build(cell=cell, hidden_size=20, scale=scale, layers=2)
    for path in PATHS:
        kernel = NativeAttributor(artifact, path=path)
        for length in (1, 40, 10_000):
            found = kernel.attribute(text(length), 0)
            assert np.isfinite(found.contributions).all()
            added = found.contributions.sum(dtype=np.float64)
            size = np.abs(found.contributions).sum()
            assert abs(added - (found.logit - found.baseline_logit)) < 0.003 * size + 1e-4, length


@needs_kernel
def test_the_kernel_refuses_an_invalid_document():
    kernel = NativeAttributor(build())
    with pytest.raises(ValueError, match="word id 50, the vocabulary has 0 to 49"):
        kernel.attribute(np.array([3, 50], dtype=np.int32), 0)
    with pytest.raises(ValueError, match="label 3 of 3"):
        kernel.attribute(text(3), 3)
    with pytest.raises(TypeError):
        kernel.attribute(text(3).astype(np.int64), 0)
    with pytest.raises(ValueError, match="no path sse9"):
        NativeAttributor(build(), path="sse9")
