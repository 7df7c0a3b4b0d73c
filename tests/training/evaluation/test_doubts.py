from __future__ import annotations

import numpy as np
import pytest
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.evaluation import doubts
from valence.training.metrics.predictions import Predictions

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 4, 300)


def predict(right: float) -> Predictions:
    """The predictions of a model that is right in a share of the texts."""
    wrong = (TRUTH + RANDOM.integers(1, 4, 300)) % 4
    chosen = np.where(RANDOM.random(300) < right, TRUTH, wrong)
    return Predictions.from_probabilities(np.eye(4)[chosen], TRUTH)


def test_a_model_at_chance_is_doubted_with_its_figures() -> None:
    said = doubts.doubt_learning(predict(0.25), "test")
    assert said is not None
    assert said.startswith("test does not show that the model has learnt anything: macro recall 0")
    assert "not clearly above 0.250, that of always giving the commonest label" in said
    assert doubts.doubt_learning(predict(0.6), "test") is None


def test_a_model_that_loses_to_the_linear_model_is_doubted() -> None:
    said = doubts.doubt_network(predict(0.6), predict(0.8), "test")
    assert said is not None
    assert "a linear model is better than this one: macro-F1 0." in said
    assert "300 test texts" in said


@pytest.mark.parametrize("linear", [0.5, 0.8, 0.79])
def test_a_difference_within_the_error_is_no_doubt(linear: float) -> None:
    assert doubts.doubt_network(predict(0.8), predict(linear), "test") is None


ENGLISH = ["The film was great, and so was the song.", "A dull meal!"]
WORDS = (UNKNOWN, "the", "film", "was", "great", "and", "so", "song", ".", ",", "!", "。", "，")


def test_words_of_scripts_without_spaces_are_counted_letter_by_letter() -> None:
    said = doubts.doubt_words(["我喜欢电影。"], Vocabulary((*WORDS, "我", "喜")))
    assert said == (
        "the model knows 40% of the words of dev: give more training texts of this kind"
    )


def test_unknown_words_of_spaced_scripts_need_more_texts() -> None:
    said = doubts.doubt_words(["xyzzy plugh the frobnicate"], Vocabulary(WORDS))
    assert said == (
        "the model knows 25% of the words of dev: give more training texts of this kind"
    )


@pytest.mark.parametrize("texts", [ENGLISH[:1], ["\U0001f600 !!"], [""], []])
def test_known_words_and_texts_without_words_are_no_doubt(texts: list[str]) -> None:
    assert doubts.doubt_words(texts, Vocabulary(WORDS)) is None


def test_few_dev_texts_are_told_where_they_leave_the_temperature() -> None:
    truth = np.arange(18) % 2
    logits = np.eye(2, dtype=np.float32)[truth]
    said = doubts.doubt_calibration(logits, truth, 1.0)
    assert said is not None
    assert "50 dev texts, 5 of them labelled wrong, and these are 18, 0 of them" in said
    assert doubts.doubt_calibration(logits, truth, 1.3) is None
    many = np.arange(200) % 2
    half = np.eye(2, dtype=np.float32)[np.where(np.arange(200) < 9, 1 - many, many)]
    assert doubts.doubt_calibration(half, many, 1.0) is None


def test_only_doubts_that_there_are_are_collected() -> None:
    assert doubts.collect_doubts((None, "a", None, "b")) == ("a", "b")
