from __future__ import annotations

import numpy as np
import pytest
from valence.training.metrics.separation import measure_separation


def test_the_area_counts_pairs_in_the_right_order() -> None:
    found = measure_separation(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.9]))
    # of six pairs, only 0.6 and 0.5 are in the wrong order
    assert found.auroc == pytest.approx(5 / 6)


def test_scores_drawn_from_their_own_odds_are_calibrated() -> None:
    random = np.random.default_rng(0)
    scores = random.uniform(size=200_000)
    strange = random.uniform(size=len(scores)) < scores
    calibrated = measure_separation(scores[~strange], scores[strange])
    assert calibrated.ece < 0.01
    sure = measure_separation(scores[~strange] ** 3, scores[strange] ** 3)
    assert sure.auroc == pytest.approx(calibrated.auroc)
    assert sure.ece > 0.1
