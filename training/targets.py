"""The labels of texts as numbers: what a classifier's answers are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.classifier.manifest import Task
from training.corpora.example import Example


def truth(examples: Sequence[Example], *, labels: Sequence[str], task: Task) -> NDArray[np.int64]:
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
