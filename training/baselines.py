"""What a classifier has to beat: a linear model over n-grams, and a lexicon with rules.

Both are fitted and scored on exactly the splits the classifier has, and nothing of them is kept
but their scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from training.corpora import Example
from training.evaluation import Evaluation, evaluate

SENTIMENT = frozenset({"negative", "neutral", "positive"})
# the thresholds that VADER's authors recommend for its compound score in [-1, 1]
_VADER_NEUTRAL = 0.05


def score(
    train: Sequence[Example], test: Sequence[Example], *, labels: Sequence[str]
) -> dict[str, Evaluation]:
    """Every baseline that fits the labels, by the name to print."""
    scores = {"TF-IDF + logistic regression": tfidf(train, test, labels=labels)}
    if set(labels) == SENTIMENT:
        scores["VADER"] = vader(test, labels=labels)
    return scores


def tfidf(
    train: Sequence[Example], test: Sequence[Example], *, labels: Sequence[str]
) -> Evaluation:
    """Words and word pairs, weighted by TF-IDF, under multinomial logistic regression."""
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode", dtype=np.float32
    )
    features = vectorizer.fit_transform(example.text for example in train)
    model = LogisticRegression(C=2.0, max_iter=500)
    model.fit(features, _indices(train, labels))
    fitted = model.predict_proba(vectorizer.transform(example.text for example in test))
    # a label that has no text in train has no column
    probabilities = np.zeros((len(test), len(labels)))
    probabilities[:, model.classes_] = fitted
    return evaluate(probabilities, _indices(test, labels), labels=labels)


def vader(test: Sequence[Example], *, labels: Sequence[str]) -> Evaluation:
    """Hutto and Gilbert's lexicon and rules, which need no training.

    They give a label, not a probability: its label gets a probability of 1, so that calibration
    error and Brier score are those of a classifier that is always sure.
    """
    analyzer = SentimentIntensityAnalyzer()
    probabilities = np.zeros((len(test), len(labels)))
    for row, example in zip(probabilities, test, strict=True):
        compound = analyzer.polarity_scores(example.text)["compound"]
        if compound >= _VADER_NEUTRAL:
            label = "positive"
        else:
            label = "negative" if compound <= -_VADER_NEUTRAL else "neutral"
        row[list(labels).index(label)] = 1.0
    return evaluate(probabilities, _indices(test, labels), labels=labels)


def _indices(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    index = {label: i for i, label in enumerate(labels)}
    return np.array([index[example.label] for example in examples], dtype=np.int64)
