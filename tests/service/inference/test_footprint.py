from __future__ import annotations

import numpy as np
from valence.service.inference.engines.native import MOST_TABLE_BYTES, NativeEngine
from valence.service.inference.footprint import estimate_bytes


def test_the_table_of_the_engine_and_the_weights_fit_into_it(tiny_artifact):
    architecture = tiny_artifact.manifest.architecture
    weights = sum(tensor.nbytes for tensor in tiny_artifact.tensors.values())
    table = NativeEngine(tiny_artifact, path="portable").table_bytes
    assert (
        weights + table
        <= estimate_bytes(architecture)
        <= 2 * (weights + table) + 256 * len(tiny_artifact.vocabulary)
    )


def test_a_larger_vocabulary_takes_more(tiny_artifact):
    small = tiny_artifact.manifest.architecture
    sizes = [
        estimate_bytes(small.model_copy(update={"vocabulary_size": words}))
        for words in (1_000, 10_000, 100_000)
    ]
    assert np.allclose(np.diff(sizes), np.diff(sizes)[0] * np.array([1, 10]))


def test_the_table_of_a_large_vocabulary_has_a_bound(tiny_artifact):
    shape = {"vocabulary_size": 1_000_000, "hidden_size": 128}
    large = tiny_artifact.manifest.architecture.model_copy(update=shape)
    numbers = 4 * 1_000_000 * large.embedding_size
    assert numbers + MOST_TABLE_BYTES < estimate_bytes(large) < numbers + 320 * 2**20
