from __future__ import annotations

import pytest
from valence.training.corpora.example import Example
from valence.training.evaluation import baselines

SENTIMENT = ("negative", "neutral", "positive")
TOPICS = ("food", "sport", "tech")


def example(text: str, label: str) -> Example:
    return Example(text=text, label=label, corpus="made up")


TRAIN = [
    example(f"the {word} {number}", label)
    for number in range(6)
    for word, label in (("soup", "food"), ("match", "sport"), ("phone", "tech"))
]
TEST = [example("a soup", "food"), example("that match", "sport"), example("my phone", "tech")]


def test_the_linear_model_learns_words_only_from_train() -> None:
    scores = baselines.score_tfidf(TRAIN, TEST, labels=TOPICS).evaluation
    assert scores.accuracy == 1.0
    assert scores.count == 3
    assert scores.labels == TOPICS


def test_the_linear_model_takes_labels_that_train_lacks() -> None:
    """Labels may have any order."""
    labels = ("tech", "weather", "food", "sport")
    scores = baselines.score_tfidf(TRAIN, TEST, labels=labels).evaluation
    assert scores.accuracy == 1.0
    assert scores.by_label["weather"].support == 0


def test_the_linear_model_scores_the_same_twice() -> None:
    first, second = (baselines.score_tfidf(TRAIN, TEST, labels=TOPICS) for _ in range(2))
    assert first.evaluation == second.evaluation


def test_the_lexicon_distinguishes_positive_from_negative() -> None:
    texts = [
        example("I love this wonderful film", "positive"),
        example("A horrible, stupid waste", "negative"),
        example("The meeting is on Tuesday", "neutral"),
        example("I love it", "negative"),
    ]
    scores = baselines.score_vader(texts, labels=SENTIMENT).evaluation
    assert scores.confusion == ((1, 0, 1), (0, 1, 0), (0, 0, 1))
    # always fully confident, and right in three of four texts
    assert scores.ece == pytest.approx(0.25)


def test_the_lexicon_follows_the_order_of_the_labels() -> None:
    praise = [example("I love this wonderful film", "positive")]
    for labels in (SENTIMENT, SENTIMENT[::-1]):
        assert baselines.score_vader(praise, labels=labels).evaluation.accuracy == 1.0


def test_the_lexicon_is_a_baseline_of_sentiment_only() -> None:
    topics = baselines.score_baselines(TRAIN, TEST, labels=TOPICS)
    assert list(topics.scored) == ["TF-IDF + logistic regression"]
    several = [
        example("good good", "positive"),
        example("bad bad", "negative"),
        example("so so", "neutral"),
    ]
    sentiment = baselines.score_baselines(several * 2, several, labels=SENTIMENT)
    assert list(sentiment.scored) == ["TF-IDF + logistic regression", "VADER"]


@pytest.mark.parametrize(
    "texts",
    [
        ["\U0001f600 \U0001f680", "\U0001f622", "\U0001f389\U0001f389"],  # emoji only
        ["a b c", "x y", "i"],  # words of one letter
        ["!!!", "...", "?"],
        ["one two", "three four", "five six"],  # each word in one text
    ],
)
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_linear_model_that_cannot_be_fitted_is_left_out(texts: list[str], task: str) -> None:
    examples = [example(text, TOPICS[place]) for place, text in enumerate(texts)]
    found = baselines.score_baselines(examples, examples, labels=TOPICS, task=task, dev=examples)
    assert (found.evaluations, found.linear) == ({}, None)
    assert found.left_out.startswith(
        "the linear model is left out: no word of two letters or more is in 2 of the 3"
    )


def test_the_lexicon_stays_without_the_linear_model() -> None:
    faces = [example("\U0001f600", "positive"), example("\U0001f622", "negative")]
    found = baselines.score_baselines(faces, faces, labels=SENTIMENT)
    assert list(found.evaluations) == ["VADER"]


def test_one_label_in_train_fits_no_linear_model() -> None:
    alone = [example(f"the soup {number}", "food") for number in range(4)]
    found = baselines.score_baselines(alone, TEST, labels=TOPICS)
    assert "all training texts have one label" in found.left_out


def test_the_predictions_of_the_linear_model_are_kept() -> None:
    found = baselines.score_baselines(TRAIN, TEST, labels=TOPICS)
    assert found.left_out == ""
    assert found.linear is not None
    assert found.linear.predicted.tolist() == found.linear.truth.tolist()
