"""The vectors of texts: those that the output layer of the model reads."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from valence.service.classifier.artifact import Artifact
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.active_learning.vectors import compute_vectors

from tests.support.tiny_models import make_linear

DOCUMENTS = [np.array(ids, dtype=np.int32) for ids in ((1, 3), (2, 3, 4), (), (1, 3))]


def test_pooled_vectors_give_the_logits(tiny_artifact: Artifact) -> None:
    engine = ReferenceEngine(tiny_artifact)
    tensors = tiny_artifact.tensors
    logits = engine.pool(DOCUMENTS) @ tensors["output.weight"].T + tensors["output.bias"]
    np.testing.assert_allclose(logits, engine.logits(DOCUMENTS), atol=1e-5)


def test_vectors_have_length_one_or_nothing(tiny_artifact: Artifact) -> None:
    for artifact in (tiny_artifact, make_linear(tiny_artifact)):
        vectors = compute_vectors(artifact, DOCUMENTS)
        rows = vectors.toarray() if sparse.issparse(vectors) else np.asarray(vectors)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1], atol=1e-5)
        np.testing.assert_allclose(rows[0], rows[3], atol=1e-6)


def test_ngrams_are_weighed_by_their_scales(tiny_artifact: Artifact) -> None:
    """Good, movie, and both together."""
    linear = make_linear(tiny_artifact)
    scales = linear.tensors["ngrams.scales"][[0, 2, 12]]
    row = compute_vectors(linear, DOCUMENTS[:1]).toarray()[0]
    np.testing.assert_allclose(row[[0, 2, 12]], scales / np.linalg.norm(scales), rtol=1e-6)
