from __future__ import annotations

import numpy as np
from valence.training.metrics.scores import evaluate
from valence.training.report.confusions import Confusion, list_confusions


def test_the_commonest_confusions_come_first() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 2])
    predicted = np.eye(3)[[0, 1, 1, 2, 1, 2, 2]]
    found = list_confusions(evaluate(predicted, truth, labels=("a", "b", "c")))
    assert found == [
        Confusion("a", "b", 2, 0.5), Confusion("a", "c", 1, 0.25), Confusion("b", "c", 1, 0.5),
    ]  # fmt: skip
    assert len(list_confusions(evaluate(predicted, truth, labels=("a", "b", "c")), most=1)) == 1


def test_several_labels_of_a_text_are_no_confusion() -> None:
    truth = np.array([[1, 0], [1, 1]])
    scores = evaluate(truth * 0.8, truth, labels=("a", "b"), thresholds=(0.5, 0.5))
    assert list_confusions(scores) == []
