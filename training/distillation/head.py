"""A logistic regression on the vectors of an encoder, as the last layer of a teacher."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier.manifest import Task
from valence.training.distillation.fine_tuning import EncoderClassifier, Pieces, compute_vectors
from valence.training.linear.logistic_regression import Problem, fit_weights

# scikit-learn's C, for vectors whose numbers have a deviation of 1
_STRENGTH = 0.03
_MIN_DEVIATION = 1e-6


def fit_head(
    network: EncoderClassifier,
    pieces: Pieces,
    targets: NDArray[np.float32],
    task: Task,
    device: torch.device,
) -> None:
    """Fit the last layer of ``network`` to ``targets`` ``(N, K)``; its encoder stays as it is."""
    vectors = compute_vectors(network, pieces, device).astype(np.float64)
    mean = vectors.mean(axis=0)
    deviation = np.maximum(vectors.std(axis=0), _MIN_DEVIATION)
    features = sparse.csr_matrix((vectors - mean) / deviation)
    found = fit_weights(Problem(features, targets.astype(np.float64), task, _STRENGTH))
    weights = found.weights / deviation[:, np.newaxis]
    bias = found.bias - mean @ weights
    with torch.no_grad():
        network.output.weight.copy_(torch.from_numpy(weights.T))
        network.output.bias.copy_(torch.from_numpy(bias))
