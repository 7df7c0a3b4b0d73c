from __future__ import annotations

import numpy as np
from valence.training.corpora.example import Example
from valence.training.distillation.teacher import TeacherData

LABELS = ("negative", "neutral", "positive")


def test_a_teacher_learns_labels_and_the_shares_of_counterfactuals() -> None:
    shares = {"negative": 0.05, "neutral": 0.5, "positive": 0.45}
    rated = Example("good", "positive", "toy", {"negative": 0.0, "neutral": 0.5, "positive": 0.5})
    made = Example("not rude", "neutral", "counterfactuals", shares)
    for use_shares in (False, True):
        data = TeacherData(
            (rated,), (rated,), LABELS, "single_label", use_shares, counterfactuals=(made,)
        )
        assert data.texts == ["good", "not rude"]
        first = [0.0, 0.5, 0.5] if use_shares else [0.0, 0.0, 1.0]
        np.testing.assert_allclose(data.targets(), [first, list(shares.values())], rtol=1e-6)
        assert len(TeacherData((rated,), (), LABELS, "single_label", use_shares).targets()) == 1
