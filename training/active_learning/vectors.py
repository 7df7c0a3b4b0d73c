"""The vectors of texts in the model itself: what its output layer sees of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from valence.service.classifier.architecture import NGRAM_SCALES
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.factory import select_network
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.active_learning.choice import Vectors


def compute_vectors(artifact: Artifact, documents: Sequence[WordIds]) -> Vectors:
    """The pooled vectors of a network, or the n-grams of a model without one, of length 1."""
    if artifact.manifest.architecture.layers:
        pooled = ReferenceEngine(select_network(artifact)).pool(documents)
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        return pooled / np.maximum(lengths, np.finfo(np.float32).tiny)
    return _weigh_ngrams(artifact, documents)


def _weigh_ngrams(artifact: Artifact, documents: Sequence[WordIds]) -> sparse.csr_matrix:
    scales = artifact.tensors[NGRAM_SCALES].astype(np.float64)
    size = artifact.manifest.architecture.vocabulary_size
    table = NGramTable(artifact.tensors, vocabulary_size=size)
    texts, ngrams, _ = table.list_ngrams(documents)
    values = scales[ngrams] if scales.any() else np.ones(len(ngrams))
    matrix = sparse.csr_matrix((values, (texts, ngrams)), shape=(len(documents), len(scales)))
    lengths = np.sqrt(np.bincount(texts, values**2, minlength=len(documents)))
    return sparse.csr_matrix(sparse.diags(1.0 / np.maximum(lengths, 1e-12)) @ matrix)
