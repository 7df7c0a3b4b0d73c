"""What is gained by leaving doubtful texts to people: precision against coverage.

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


class Point(BaseModel):
    """What is left where only answers of a probability of ``threshold`` or more count.

    ``coverage`` is the share of texts that are answered; of a multi-label task the share of the
    true labels that are given. ``precision`` is the share of the answers that is right, 1 of none.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    coverage: float
    precision: float


class Selective(BaseModel):
    """``at_threshold`` for each of a row of thresholds, as ``min_confidence`` takes them.

    ``at_precision``: the lowest threshold whose answers are right as often as that, by the
    precision; None where there is none. ``risk`` is the area under the risk-coverage curve: the
    share of wrong answers, in the mean over all coverages.
    """

    model_config = ConfigDict(frozen=True)

    at_threshold: tuple[Point, ...]
    at_precision: dict[str, Point | None]
    risk: float


def selective(answers: Predictions) -> Selective:
    """Of a single-label task each text is an answer, else each label of each text is one."""
    if answers.multi_label:
        confidence, right = answers.probabilities.ravel(), answers.truth.ravel()
        whole = int(right.sum())
    else:
        confidence = answers.probabilities.max(axis=1)
        right = np.any(answers.predicted & answers.truth, axis=1, keepdims=True)[:, 0]
        whole = len(right)
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    kept = np.arange(1, len(right) + 1)
    found = np.cumsum(right)
    precision = found / kept  # of the first 1, 2, ... answers
    covered = (found if answers.multi_label else kept) / max(1, whole)
    # answers of equal confidence are kept together or not at all
    last = np.append(confidence[1:] != confidence[:-1], True)

    def at(place: int) -> Point:
        return Point(
            threshold=float(confidence[place]),
            coverage=float(covered[place]),
            precision=float(precision[place]),
        )

    def past(threshold: float) -> Point:
        count = int((confidence >= threshold).sum())
        if count == 0:
            return Point(threshold=threshold, coverage=0.0, precision=1.0)
        return at(count - 1).model_copy(update={"threshold": threshold})

    def reaching(wanted: float) -> Point | None:
        places: NDArray[np.intp] = np.flatnonzero(last & (precision >= wanted))
        return at(int(places[-1])) if len(places) else None

    return Selective(
        at_threshold=tuple(past(threshold) for threshold in THRESHOLDS),
        at_precision={f"{wanted:.2f}": reaching(wanted) for wanted in PRECISIONS},
        risk=float((1.0 - precision).mean()),
    )
