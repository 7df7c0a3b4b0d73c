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
    scores = baselines.score_tfidf(TRAIN, TEST, labels=TOPICS)
    assert scores.accuracy == 1.0
    assert scores.count == 3
    assert scores.labels == TOPICS


def test_the_linear_model_takes_labels_that_train_lacks() -> None:
    """Labels may have any order."""
    labels = ("tech", "weather", "food", "sport")
    scores = baselines.score_tfidf(TRAIN, TEST, labels=labels)
    assert scores.accuracy == 1.0
    assert scores.by_label["weather"].support == 0


def test_the_linear_model_scores_the_same_twice() -> None:
    assert baselines.score_tfidf(TRAIN, TEST, labels=TOPICS) == baselines.score_tfidf(
        TRAIN, TEST, labels=TOPICS
    )


def test_the_lexicon_distinguishes_positive_from_negative() -> None:
    texts = [
        example("I love this wonderful film", "positive"),
        example("A horrible, stupid waste", "negative"),
        example("The meeting is on Tuesday", "neutral"),
        example("I love it", "negative"),
    ]
    scores = baselines.score_vader(texts, labels=SENTIMENT)
    assert scores.confusion == ((1, 0, 1), (0, 1, 0), (0, 0, 1))
    # always fully confident, and right in three of four texts
    assert scores.ece == pytest.approx(0.25)


def test_the_lexicon_follows_the_order_of_the_labels() -> None:
    praise = [example("I love this wonderful film", "positive")]
    for labels in (SENTIMENT, SENTIMENT[::-1]):
        assert baselines.score_vader(praise, labels=labels).accuracy == 1.0


def test_the_lexicon_is_a_baseline_of_sentiment_only() -> None:
    topics = baselines.score_baselines(TRAIN, TEST, labels=TOPICS)
    assert list(topics) == ["TF-IDF + logistic regression"]
    several = [
        example("good good", "positive"),
        example("bad bad", "negative"),
        example("so so", "neutral"),
    ]
    sentiment = baselines.score_baselines(several * 2, several, labels=SENTIMENT)
    assert list(sentiment) == ["TF-IDF + logistic regression", "VADER"]
