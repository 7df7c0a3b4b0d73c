"""Labels as numbers: the indices that predictions are compared with, and soft targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Task
from valence.training.corpora.example import Example


def label_indices(
    examples: Sequence[Example], *, labels: Sequence[str], task: Task
) -> NDArray[np.int64]:
    """``(N,)`` indices in ``labels``; for a multi-label task ``(N, K)``, 1 for each label given.

    Raises :class:`KeyError` for a label that is not in ``labels``.
    """
    index_of = {label: index for index, label in enumerate(labels)}
    if task == "single_label":
        return np.array([index_of[example.labels[0]] for example in examples], dtype=np.int64)
    given = np.zeros((len(examples), len(labels)), dtype=np.int64)
    for row, example in zip(given, examples, strict=True):
        row[[index_of[label] for label in example.labels]] = 1
    return given


def soft_targets(
    examples: Sequence[Example], *, labels: Sequence[str], task: Task, use_shares: bool
) -> NDArray[np.float32]:
    """The probabilities ``(N, K)`` that a network learns: 1 for a text's label, 0 for the others.

    With ``use_shares``, the raters' shares for a text that has them.
    """
    given = label_indices(examples, labels=labels, task=task)
    exact = np.eye(len(labels))[given] if task == "single_label" else given
    soft: NDArray[np.float32] = exact.astype(np.float32)
    if use_shares:
        for row, example in zip(soft, examples, strict=True):
            if example.shares is not None:
                row[:] = [example.shares.get(label, 0.0) for label in labels]
    return soft


def balance_labels(truth: NDArray[np.int64], labels: int) -> NDArray[np.float32]:
    """Weights ``(labels,)`` that let each label of ``truth`` ``(N,)`` weigh the same, of mean 1.

    The mean is that of the texts. A label without a text has the weight 1.
    """
    counts = np.bincount(truth, minlength=labels)
    present = max(1, int((counts > 0).sum()))
    weights = len(truth) / (present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 1.0).astype(np.float32)
