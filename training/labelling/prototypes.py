"""From the names of labels to the labels of texts, by the vectors of a sentence encoder.

A label begins with the vector of its name, and moves to the mean of the texts that are near to it,
step by step: k-means on the sphere (Dhillon, Modha: *Concept Decompositions for Large Sparse Text
Data Using Clustering*, 2001) that begins with the names, with soft members.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

_STEPS = 10
_SHARPNESS = 20.0  # of the cosines
# What a name weighs beside one text of its label, and in texts at least.
_NAME = 0.4
_LEAST = 5.0


def normalize(vectors: NDArray[np.floating[Any]]) -> Vectors:
    """``vectors`` ``(N, H)`` of length 1."""
    values = vectors.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit: Vectors = values / np.maximum(lengths, 1e-12)
    return unit


def compare_names(texts: Vectors, names: Vectors) -> Vectors:
    """The shares ``(N, K)`` of the labels in each text, by their ``names`` ``(K, H)`` alone."""
    return _share(texts @ names.T)


def find_shares(texts: Vectors, names: Vectors) -> Vectors:
    """The shares ``(N, K)`` of the labels in each text, all ``texts`` taken together."""
    prototypes = names
    for _ in range(_STEPS):
        shares = _share(texts @ prototypes.T)
        weights = np.maximum(_NAME * shares.sum(axis=0), _LEAST)[:, np.newaxis]
        prototypes = normalize(weights * names + shares.T @ texts)
    return _share(texts @ prototypes.T)


def _share(cosines: Vectors) -> Vectors:
    powers = np.exp(_SHARPNESS * (cosines - cosines.max(axis=1, keepdims=True)))
    shares: Vectors = powers / powers.sum(axis=1, keepdims=True)
    return shares
