from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from valence.training.behaviour.model_under_test import ModelUnderTest, SentimentPrediction


def same(texts: Sequence[str]) -> np.ndarray:
    return np.array([[0.5, 0.2, 0.3]] * len(texts))


def test_an_answer_is_the_likeliest_label_its_value_and_the_mean_value_of_all() -> None:
    polarity = {"good": 1.0, "bad": -1.0, "so-so": 0.25}
    (answer,) = ModelUnderTest(("bad", "so-so", "good"), same, polarity=polarity).predict_sentiment(
        ["x"]
    )
    assert answer == SentimentPrediction("bad", -1.0, pytest.approx(-0.5 + 0.05 + 0.3))


def test_labels_that_are_no_sentiment_have_no_polarity() -> None:
    with pytest.raises(ValueError, match="have no polarity"):
        ModelUnderTest(("a", "b", "c"), same).predict_sentiment(["x"])


def test_labels_are_given_past_their_thresholds_or_the_likeliest_alone() -> None:
    assert ModelUnderTest("abc", same).predict_labels(["x"]).tolist() == [[True, False, False]]
    several = ModelUnderTest("abc", same, thresholds=(0.6, 0.2, 0.3))
    assert several.predict_labels(["x"]).tolist() == [[False, True, True]]
