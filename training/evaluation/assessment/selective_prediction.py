"""Selective prediction: precision and coverage when doubtful texts are left to people.

R. El-Yaniv, Y. Wiener, *On the Foundations of Noise-free Selective Classification*, JMLR 2010;
Y. Geifman, R. El-Yaniv, *Selective Classification for Deep Neural Networks*, NeurIPS 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from valence.training.metrics.predictions import Predictions

THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
PRECISIONS = (0.90, 0.95, 0.99)


class OperatingPoint(BaseModel):
    """Coverage and precision of the predictions with a probability of at least ``threshold``.

    ``coverage`` is the share of texts with a prediction; in a multi-label task, the share of the
    true labels that are predicted. ``precision`` is the share of correct predictions, 1 without
    predictions.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    coverage: float
    precision: float


class SelectivePrediction(BaseModel):
    """The operating points of a model.

    ``at_threshold`` holds one point for each of :data:`THRESHOLDS`, as values of
    ``min_confidence``. ``at_precision`` holds, by precision, the point of the lowest threshold that
    reaches it, or None. ``risk`` is the area under the risk-coverage curve: the share of wrong
    predictions, averaged over all coverages.
    """

    model_config = ConfigDict(frozen=True)

    at_threshold: tuple[OperatingPoint, ...]
    at_precision: dict[str, OperatingPoint | None]
    risk: float


def measure_selective_prediction(predictions: Predictions) -> SelectivePrediction:
    """Measure at the level of texts; in a multi-label task, of the labels of each text."""
    if predictions.multi_label:
        confidence, correct = predictions.probabilities.ravel(), predictions.truth.ravel()
        total = int(correct.sum())
    else:
        confidence = predictions.probabilities.max(axis=1)
        correct = np.any(predictions.predicted & predictions.truth, axis=1, keepdims=True)[:, 0]
        total = len(correct)
    order = np.argsort(-confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    counts = np.arange(1, len(correct) + 1)
    positives = np.cumsum(correct)
    precision = positives / counts  # of the first 1, 2, ... predictions
    coverage = (positives if predictions.multi_label else counts) / max(1, total)
    # predictions of equal confidence are kept together or not at all
    last = np.append(confidence[1:] != confidence[:-1], True)

    def make_point(index: int) -> OperatingPoint:
        return OperatingPoint(
            threshold=float(confidence[index]),
            coverage=float(coverage[index]),
            precision=float(precision[index]),
        )

    def find_at_threshold(threshold: float) -> OperatingPoint:
        count = int((confidence >= threshold).sum())
        if count == 0:
            return OperatingPoint(threshold=threshold, coverage=0.0, precision=1.0)
        return make_point(count - 1).model_copy(update={"threshold": threshold})

    def find_at_precision(required: float) -> OperatingPoint | None:
        indices: NDArray[np.intp] = np.flatnonzero(last & (precision >= required))
        return make_point(int(indices[-1])) if len(indices) else None

    return SelectivePrediction(
        at_threshold=tuple(find_at_threshold(threshold) for threshold in THRESHOLDS),
        at_precision={f"{required:.2f}": find_at_precision(required) for required in PRECISIONS},
        risk=float((1.0 - precision).mean()),
    )
