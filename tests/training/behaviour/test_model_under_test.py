from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from valence.training.behaviour.model_under_test import ModelUnderTest, SentimentPrediction


def constant_answers(texts: Sequence[str]) -> np.ndarray:
    return np.array([[0.5, 0.2, 0.3]] * len(texts))


def test_an_answer_has_a_label_and_two_polarities() -> None:
    polarity = {"good": 1.0, "bad": -1.0, "so-so": 0.25}
    (answer,) = ModelUnderTest(
        ("bad", "so-so", "good"), constant_answers, polarity=polarity
    ).predict_sentiment(["x"])
    assert answer == SentimentPrediction("bad", -1.0, pytest.approx(-0.5 + 0.05 + 0.3))


def test_labels_other_than_sentiment_have_no_polarity() -> None:
    with pytest.raises(ValueError, match="have no polarity"):
        ModelUnderTest(("a", "b", "c"), constant_answers).predict_sentiment(["x"])


def test_labels_are_given_over_thresholds_or_the_likeliest() -> None:
    assert ModelUnderTest("abc", constant_answers).predict_labels(["x"]).tolist() == [
        [True, False, False]
    ]
    several = ModelUnderTest("abc", constant_answers, thresholds=(0.6, 0.2, 0.3))
    assert several.predict_labels(["x"]).tolist() == [[False, True, True]]
