"""The scores of a classifier's probabilities on labelled texts.

Accuracy and F1 measure the predicted labels. Expected calibration error, Brier score and log loss
measure the probabilities. Every score is computed in fp64 from the same (N, K) probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from valence.service.classifier.manifest import Task

BINS = 15
# the log loss of a probability of 0 is infinite: one such text would hide all others
_MIN_PROBABILITY = 1e-15


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelScore(_FrozenModel):
    """One label against the rest. A label without texts, or never predicted, scores 0."""

    precision: float
    recall: float
    f1: float
    support: int


class ReliabilityBin(_FrozenModel):
    """The texts whose highest probability lies in (``low``, ``high``]. Empty bins have means of 0.

    In a multi-label task a bin counts decisions, each about one label of one text: ``confidence``
    is the mean probability of the label, ``accuracy`` the share of texts that have the label.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Evaluation(_FrozenModel):
    """The scores of one classifier on one set of texts.

    ``accuracy`` is the share of texts whose predicted label is the true label. In a multi-label
    task it is the share of texts whose predicted labels are exactly the true labels (subset
    accuracy). ``confusion[i][j]`` counts the texts of true label i and predicted label j, in the
    order of ``labels``; in a multi-label task ``confusion`` is empty. ``macro_f1`` and
    ``macro_recall`` are means over the labels that occur in the truth, where each label counts the
    same. In ``micro_f1`` each predicted label counts the same; in a single-label task ``micro_f1``
    equals ``accuracy``.
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
    """Score ``probabilities`` (N, K), whose rows sum to 1, against ``truth`` (N,), label indices.

    With ``thresholds`` (K,) the task is multi-label: rows may have any sum, a label is predicted
    where its probability reaches its threshold, and ``truth`` is (N, K), of 0 and 1.

    Raises :class:`ValueError` for shapes that do not fit, for no texts, and for rows that are not
    probabilities.
    """
    _check_input(probabilities, truth, labels)
    if thresholds is not None:
        return _evaluate_multi_label(probabilities, truth, labels, thresholds)
    indices = np.arange(len(labels))
    predicted = probabilities.argmax(axis=1)  # (N,)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=indices, average=None, zero_division=0
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
            tuple(int(n) for n in row) for row in confusion_matrix(truth, predicted, labels=indices)
        ),
        ece=_ece(reliability),
        brier=_brier(probabilities, truth),
        log_loss=float(-np.log(np.maximum(true_probability, _MIN_PROBABILITY)).mean()),
        reliability=reliability,
    )


def _evaluate_multi_label(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    thresholds: Sequence[float],
) -> Evaluation:
    """The multi-label scores. Brier score and log loss are summed over the labels of a text."""
    predicted = probabilities >= np.asarray(thresholds)  # (N, K)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, average=None, zero_division=0
    )
    present = support > 0
    positives = int((predicted & (truth == 1)).sum())
    true_probability = np.where(truth == 1, probabilities, 1.0 - probabilities)  # (N, K)
    reliability = _reliability(probabilities.ravel(), truth.ravel() == 1)
    return Evaluation(
        task="multi_label",
        count=len(truth),
        labels=tuple(labels),
        accuracy=float((predicted == truth).all(axis=1).mean()),
        micro_f1=2 * positives / max(1, int(predicted.sum()) + int(truth.sum())),
        macro_f1=float(f1[present].mean()) if present.any() else 0.0,
        macro_recall=float(recall[present].mean()) if present.any() else 0.0,
        by_label=_by_label(labels, precision, recall, f1, support),
        confusion=(),
        ece=_ece(reliability),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        log_loss=float(-np.log(np.maximum(true_probability, _MIN_PROBABILITY)).sum(axis=1).mean()),
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
    total = sum(bin_.count for bin_ in reliability)
    weighted = (bin_.count * abs(bin_.accuracy - bin_.confidence) for bin_ in reliability)
    return sum(weighted) / total


def _brier(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The mean squared distance to the one-hot truth, summed over labels: in [0, 2].

    G.W. Brier, *Verification of Forecasts Expressed in Terms of Probability*, 1950.
    """
    one_hot = np.eye(probabilities.shape[1])[truth]  # (N, K)
    return float(((probabilities - one_hot) ** 2).sum(axis=1).mean())


def _reliability(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Confidence and accuracy in bins of equal width over (0, 1].

    C. Guo, G. Pleiss, Y. Sun, K.Q. Weinberger, *On Calibration of Modern Neural Networks*, ICML
    2017: the expected calibration error is their mean distance, weighted by count.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # side="left": a confidence on an edge belongs to the bin that ends there
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)  # (N,)
    count = np.bincount(index, minlength=BINS)
    summed_confidence = np.bincount(index, weights=confidence, minlength=BINS)
    summed_correct = np.bincount(index, weights=correct.astype(np.float64), minlength=BINS)
    divisor = np.maximum(count, 1)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(count[i]),
            confidence=float(summed_confidence[i] / divisor[i]),
            accuracy=float(summed_correct[i] / divisor[i]),
        )
        for i in range(BINS)
    )


def _check_input(
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
            raise ValueError("probabilities of labels must be finite and lie in [0, 1]")
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
