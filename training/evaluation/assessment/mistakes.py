"""The texts that a model got most wrong: the one output that holds texts, a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from valence.training.evaluation.assessment.texts import Texts
from valence.training.metrics.definitions import mark_correct
from valence.training.metrics.predictions import Floats, Predictions

_SMALLEST = 1e-15


def worst(
    texts: Texts, answers: Predictions, labels: tuple[str, ...], *, most: int
) -> Iterator[dict[str, Any]]:
    """The texts that got a wrong label, first those of the highest log loss."""
    losses = _losses(answers)
    wrong = np.flatnonzero(mark_correct(answers) == 0)
    for place in wrong[np.argsort(-losses[wrong], kind="stable")][:most].tolist():
        example = texts.examples[place]
        given = [labels[label] for label in np.flatnonzero(answers.predicted[place])]
        found: dict[str, Any] = {
            "corpus": example.corpus,
            "text": example.text,
            "labels": list(example.labels),
            "given": given,
            "scores": {
                label: round(float(score), 6)
                for label, score in zip(labels, answers.probabilities[place], strict=True)
                if label in given or label in example.labels
            },
            "loss": round(float(losses[place]), 6),
        }
        for column, values in texts.columns.items():
            found.setdefault(column, values[place])
        yield found


def _losses(answers: Predictions) -> Floats:
    """Of each text the log loss of its labels, in nats: (N,)."""
    if answers.multi_label:
        of_truth = np.where(answers.truth, answers.probabilities, 1.0 - answers.probabilities)
        summed: Floats = -np.log(np.maximum(of_truth, _SMALLEST)).sum(axis=1)
        return summed
    of_truth = (answers.probabilities * answers.truth).sum(axis=1)
    losses: Floats = -np.log(np.maximum(of_truth, _SMALLEST))
    return losses
