"""The labels of texts as numbers: what a classifier's answers are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Task
from valence.training.corpora.example import Example


def label_indices(
    examples: Sequence[Example], *, labels: Sequence[str], task: Task
) -> NDArray[np.int64]:
    """``(N,)`` places in ``labels``; of a multi-label task ``(N, K)``, 1 where a label was given.

    Raises :class:`KeyError` for a label that is none of ``labels``.
    """
    place = {label: index for index, label in enumerate(labels)}
    if task == "single_label":
        return np.array([place[example.labels[0]] for example in examples], dtype=np.int64)
    given = np.zeros((len(examples), len(labels)), dtype=np.int64)
    for row, example in zip(given, examples, strict=True):
        row[[place[label] for label in example.labels]] = 1
    return given


def soft_targets(
    examples: Sequence[Example], *, labels: Sequence[str], task: Task, use_shares: bool
) -> NDArray[np.float32]:
    """``(N, K)``, what a network is to say of each text: 1 for its label, 0 for the others.

    With ``use_shares`` the raters' shares of a text that has them.
    """
    given = label_indices(examples, labels=labels, task=task)
    exact = np.eye(len(labels))[given] if task == "single_label" else given
    found: NDArray[np.float32] = exact.astype(np.float32)
    if use_shares:
        for row, example in zip(found, examples, strict=True):
            if example.shares is not None:
                row[:] = [example.shares.get(label, 0.0) for label in labels]
    return found
