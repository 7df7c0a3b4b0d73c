"""Which labels are taken for which, for a page that has no room for a matrix."""

from __future__ import annotations

from typing import NamedTuple

from valence.training.metrics.scores import Evaluation

_MOST = 20


class Confusion(NamedTuple):
    """``texts`` of the label ``truth`` got the label ``predicted``; ``share`` is of ``truth``."""

    truth: str
    predicted: str
    texts: int
    share: float


def list_confusions(evaluation: Evaluation, *, most: int = _MOST) -> list[Confusion]:
    """The pairs of labels that are confused most, by falling number; none of a multi-label task."""
    pairs = [
        Confusion(truth, predicted, count, count / sum(row))
        for truth, row in zip(evaluation.labels, evaluation.confusion, strict=False)
        for predicted, count in zip(evaluation.labels, row, strict=True)
        if count and truth != predicted
    ]
    return sorted(pairs, key=lambda pair: -pair.texts)[:most]
