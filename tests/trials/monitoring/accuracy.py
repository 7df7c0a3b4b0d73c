"""Estimated accuracy beside the true one: on texts of the same kind, and on others.

The reference is counted on the dev texts alone, and the estimate is for the test texts, which
neither the training nor the reference has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from valence.service.classifier.reference import CONFIDENCES
from valence.service.monitoring.accuracy import AccuracyEstimator
from valence.training.corpora.example import Example
from valence.training.evaluation.reference import count_answers

from tests.trials.monitoring.held_out import ServedModel

MOST_POINTS = 2.0


class Comparison(NamedTuple):
    """The accuracy of a model on some texts: true, estimated, and by raw confidence."""

    model: str
    texts: str
    count: int
    true: float
    estimated: float
    low: float
    high: float
    confidence: float

    @property
    def points(self) -> float:
        """By how many points the estimate is too high."""
        return 100 * (self.estimated - self.true)


def compare(
    model: ServedModel, others: dict[str, Sequence[Example]]
) -> tuple[Comparison, list[Comparison]]:
    """The accuracy on the test texts, and on ``others``, by name."""
    dev = model.answer(model.splits.dev)
    reference = count_answers(
        model.classifier,
        [example.text for example in dev.examples],
        dev.probabilities,
        model.find_truth(dev.examples),
    )
    estimator = AccuracyEstimator(reference.confidence)
    own = _compare(model, estimator, "its own test texts", model.splits.test)
    return own, [_compare(model, estimator, name, one) for name, one in others.items()]


def _compare(
    model: ServedModel, estimator: AccuracyEstimator, name: str, examples: Sequence[Example]
) -> Comparison:
    probabilities = model.answer(examples).probabilities
    truth = model.find_truth(examples)
    known = truth >= 0
    probabilities, truth = probabilities[known], truth[known]
    confidence = probabilities.max(axis=1)
    counts = np.bincount(np.searchsorted(CONFIDENCES, confidence), minlength=len(CONFIDENCES) + 1)
    found = estimator.estimate(counts)
    if found is None:
        raise SystemExit(f"error: {name} has no text with a label of {model.name}")
    true = float((probabilities.argmax(axis=1) == truth).mean())
    return Comparison(model.name, name, len(truth), true, *found, float(confidence.mean()))
