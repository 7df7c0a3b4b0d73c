"""How good a classifier's probabilities are: is the label right, and is the certainty honest.

Accuracy and F1 judge the labels given; expected calibration error, Brier score and log loss judge
the probability. Every figure is computed in fp64 from the same (N, K) probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from valence.service.classifier.manifest import Task

BINS = 15
# log loss of a probability of 0 would be infinite: one such text would hide all others
_SMALLEST = 1e-15


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelScore(_Part):
    """One label against the rest; what has no texts, or was never predicted, scores 0."""

    precision: float
    recall: float
    f1: float
    support: int


class ReliabilityBin(_Part):
    """The texts whose highest probability lies in (``low``, ``high``]; means are 0 of none.

    Of a multi-label task not texts but decisions, each on one label of one text: ``confidence`` is
    the mean probability of the label, ``accuracy`` the share of texts that have it.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Evaluation(_Part):
    """The scores of one classifier on one set of texts.

    ``accuracy`` counts the texts that were given the right label; of a multi-label task those that
    were given just the right ones (subset accuracy). ``confusion[i][j]`` counts the texts of true
    label i that were given label j, in the order of ``labels``; of a multi-label task it is empty.
    ``macro_f1`` and ``macro_recall`` are means over the labels that occur in the truth, each label
    counting the same; ``micro_f1`` is over all labels given, each counting the same: the accuracy,
    where a text has one.
    """

    task: Task = "single_label"
    count: int
    labels: tuple[str, ...]
    accuracy: float
    micro_f1: float
    macro_f1: float
    macro_recall: float
    by_label: dict[str, LabelScore]
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    brier: float
    log_loss: float
    reliability: tuple[ReliabilityBin, ...]

    def as_json(self) -> dict[str, JsonValue]:
        """Plain JSON values, for ``model.json``."""
        return self.model_dump(mode="json")


def evaluate(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    labels: Sequence[str],
    thresholds: Sequence[float] | None = None,
) -> Evaluation:
    """Score ``probabilities`` (N, K), rows summing to 1, against ``truth`` (N,), label indices.

    With ``thresholds`` (K,), labels are decided alone: rows sum to anything, a label is given at or
    past its threshold, and ``truth`` is (N, K), of 0 and 1.

    Raises :class:`ValueError` for shapes that do not fit, no texts, and rows that are no
    probabilities.
    """
    _check(probabilities, truth, labels)
    if thresholds is not None:
        return _evaluate_decisions(probabilities, truth, labels, thresholds)
    every = np.arange(len(labels))
    predicted = probabilities.argmax(axis=1)  # (N,)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=every, average=None, zero_division=0
    )
    present = support > 0
    reliability = _reliability(probabilities.max(axis=1), predicted == truth)
    true_probability = probabilities[np.arange(len(truth)), truth]  # (N,)
    return Evaluation(
        count=len(truth),
        labels=tuple(labels),
        accuracy=float((predicted == truth).mean()),
        micro_f1=float((predicted == truth).mean()),
        macro_f1=float(f1[present].mean()),
        macro_recall=float(recall[present].mean()),
        by_label=_by_label(labels, precision, recall, f1, support),
        confusion=tuple(
            tuple(int(n) for n in row) for row in confusion_matrix(truth, predicted, labels=every)
        ),
        ece=_ece(reliability),
        brier=_brier(probabilities, truth),
        log_loss=float(-np.log(np.maximum(true_probability, _SMALLEST)).mean()),
        reliability=reliability,
    )


def _evaluate_decisions(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    thresholds: Sequence[float],
) -> Evaluation:
    """Brier score and log loss are sums over labels, as they are of one label a text."""
    given = probabilities >= np.asarray(thresholds)  # (N, K)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, given, average=None, zero_division=0
    )
    present = support > 0
    decided, found = int(given.sum()), int((given & (truth == 1)).sum())
    of_truth = np.where(truth == 1, probabilities, 1.0 - probabilities)  # (N, K)
    reliability = _reliability(probabilities.ravel(), truth.ravel() == 1)
    return Evaluation(
        task="multi_label",
        count=len(truth),
        labels=tuple(labels),
        accuracy=float((given == truth).all(axis=1).mean()),
        micro_f1=2 * found / max(1, decided + int(truth.sum())),
        macro_f1=float(f1[present].mean()) if present.any() else 0.0,
        macro_recall=float(recall[present].mean()) if present.any() else 0.0,
        by_label=_by_label(labels, precision, recall, f1, support),
        confusion=(),
        ece=_ece(reliability),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        log_loss=float(-np.log(np.maximum(of_truth, _SMALLEST)).sum(axis=1).mean()),
        reliability=reliability,
    )


def _by_label(
    labels: Sequence[str],
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
    f1: NDArray[np.float64],
    support: NDArray[np.int64],
) -> dict[str, LabelScore]:
    return {
        label: LabelScore(
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            support=int(support[i]),
        )
        for i, label in enumerate(labels)
    }


def _ece(reliability: Sequence[ReliabilityBin]) -> float:
    total = sum(b.count for b in reliability)
    return sum(b.count * abs(b.accuracy - b.confidence) for b in reliability) / total


def _brier(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Mean squared distance to the one-hot truth, summed over labels: in [0, 2].

    G.W. Brier, *Verification of Forecasts Expressed in Terms of Probability*, 1950.
    """
    one_hot = np.eye(probabilities.shape[1])[truth]  # (N, K)
    return float(((probabilities - one_hot) ** 2).sum(axis=1).mean())


def _reliability(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Confidence against accuracy in bins of equal width over (0, 1].

    C. Guo, G. Pleiss, Y. Sun, K.Q. Weinberger, *On Calibration of Modern Neural Networks*, ICML
    2017: the expected calibration error is the mean distance of the two, weighted by count.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # side="left": a confidence on an edge belongs to the bin that ends there
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)  # (N,)
    count = np.bincount(index, minlength=BINS)
    summed_confidence = np.bincount(index, weights=confidence, minlength=BINS)
    summed_correct = np.bincount(index, weights=correct.astype(np.float64), minlength=BINS)
    of = np.maximum(count, 1)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(count[i]),
            confidence=float(summed_confidence[i] / of[i]),
            accuracy=float(summed_correct[i] / of[i]),
        )
        for i in range(BINS)
    )


def _check(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]
) -> None:
    if probabilities.shape != (len(truth), len(labels)) or len(truth) == 0:
        raise ValueError(
            f"probabilities are of shape {probabilities.shape}, expected (N, K) for N = "
            f"{len(truth)} texts, at least one, and K = {len(labels)} labels"
        )
    if truth.ndim == 2:
        if truth.shape != probabilities.shape or not np.isin(truth, (0, 1)).all():
            raise ValueError(
                f"truth is of shape {truth.shape}, expected 0 or 1 for each of "
                f"{probabilities.shape} decisions"
            )
        if not (probabilities.min() >= 0 and probabilities.max() <= 1):
            raise ValueError("probabilities of labels must lie in [0, 1] and be finite")
        return
    if truth.min() < 0 or truth.max() >= len(labels):
        raise ValueError(
            f"label indices run from {truth.min()} to {truth.max()}, expected 0 to "
            f"{len(labels) - 1}"
        )
    sums = probabilities.sum(axis=1)
    # written so that a NaN fails too
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() <= 1e-3):
        raise ValueError(
            "rows of probabilities must be non-negative, finite and sum to 1; their sums run from "
            f"{sums.min()} to {sums.max()}"
        )
