"""The worst mistakes of a model. This is the only output with texts, so it is a separate file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from valence.training.evaluation.assessment.texts import EvaluationTexts
from valence.training.metrics.definitions import mark_correct
from valence.training.metrics.predictions import Floats, Predictions

_MIN_PROBABILITY = 1e-15


def list_worst_mistakes(
    texts: EvaluationTexts, predictions: Predictions, labels: tuple[str, ...], *, most: int
) -> Iterator[dict[str, Any]]:
    """At most ``most`` texts with a wrong label, by falling log loss."""
    losses = _compute_losses(predictions)
    wrong = np.flatnonzero(mark_correct(predictions) == 0)
    for index in wrong[np.argsort(-losses[wrong], kind="stable")][:most].tolist():
        example = texts.examples[index]
        predicted = [labels[label] for label in np.flatnonzero(predictions.predicted[index])]
        mistake: dict[str, Any] = {
            "corpus": example.corpus,
            "text": example.text,
            "labels": list(example.labels),
            "given": predicted,
            "scores": {
                label: round(float(score), 6)
                for label, score in zip(labels, predictions.probabilities[index], strict=True)
                if label in predicted or label in example.labels
            },
            "loss": round(float(losses[index]), 6),
        }
        for column, values in texts.columns.items():
            mistake.setdefault(column, values[index])
        yield mistake


def _compute_losses(predictions: Predictions) -> Floats:
    """The log loss (N,) of the labels of each text, in nats."""
    if predictions.multi_label:
        true_probability = np.where(
            predictions.truth, predictions.probabilities, 1.0 - predictions.probabilities
        )
        summed: Floats = -np.log(np.maximum(true_probability, _MIN_PROBABILITY)).sum(axis=1)
        return summed
    true_probability = (predictions.probabilities * predictions.truth).sum(axis=1)
    losses: Floats = -np.log(np.maximum(true_probability, _MIN_PROBABILITY))
    return losses
