"""The comparison of predictions with a constant answer, which every useful model beats.

The constant answer is the commonest label. It is compared by macro recall: each answer that ignores
the text, constant or drawn at random, has an expected macro recall of one by the number of labels.
By macro-F1, a random answer would beat a constant one. In a multi-label task the constant answer is
every label, and the comparison is by macro-F1: thresholds give every label where nothing is learnt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from valence.training.metrics import bootstrap
from valence.training.metrics.bootstrap import Difference, Resampling
from valence.training.metrics.definitions import MacroF1, MacroRecall, Metric
from valence.training.metrics.predictions import Predictions


class ConstantComparison(NamedTuple):
    """The value of a metric for a constant answer and for a model, and their difference.

    ``answer`` names the constant answer.
    """

    metric: str
    answer: str
    constant: float
    value: float
    difference: Difference

    @property
    def is_beaten(self) -> bool:
        """Whether the model is better, with chance ruled out."""
        return self.difference.low > 0


def compare_with_constant(predictions: Predictions, resampling: Resampling) -> ConstantComparison:
    """Compare ``predictions`` with the constant answer on the same texts."""
    probabilities = np.zeros_like(predictions.probabilities)
    metric: Metric
    if predictions.multi_label:
        metric, name, answer = MacroF1(), "macro-F1", "giving every label"
        probabilities[:] = 1.0
    else:
        metric, name, answer = MacroRecall(), "macro recall", "always giving the commonest label"
        probabilities[:, predictions.truth.sum(axis=0).argmax()] = 1.0
    constant = Predictions(
        probabilities, probabilities == 1.0, predictions.truth, predictions.multi_label
    )
    return ConstantComparison(
        name,
        answer,
        bootstrap.compute_value(metric, constant),
        bootstrap.compute_value(metric, predictions),
        bootstrap.estimate_difference(metric, constant, predictions, resampling),
    )
