"""How well a score tells texts outside the labels from texts that have a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from valence.training.metrics.scores import evaluate


@dataclass(frozen=True, slots=True)
class Separation:
    """The figures of a score: area under the ROC curve, and expected calibration error.

    ``auroc`` is the probability that a text outside has a higher score than a text inside. ``ece``
    is that of as many texts of both, for which the score is calibrated.
    """

    auroc: float
    ece: float


def measure_separation(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> Separation:
    """The figures of the scores of texts ``inside`` and ``outside``, in [0, 1]; one or more each.

    For the calibration, the larger group is sampled, the same texts each time.
    """
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    size = min(len(inside), len(outside))
    random = np.random.default_rng(0)
    sample = np.concatenate(
        [random.choice(scores, size, replace=False) for scores in (inside, outside)]
    )
    calibration = evaluate(
        np.stack([1.0 - sample, sample], axis=1),
        np.repeat([0, 1], size),
        labels=("inside", "outside"),
    )
    both = np.concatenate([inside, outside])
    return Separation(float(roc_auc_score(truth, both)), calibration.ece)
