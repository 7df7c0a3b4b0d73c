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
from valence.service.classifier.manifest import Task
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.metrics import thresholds
from valence.training.metrics.scores import Evaluation, evaluate

SENTIMENT = frozenset({"negative", "neutral", "positive"})
# the thresholds that VADER's authors recommend for its compound score in [-1, 1]
_VADER_NEUTRAL = 0.05


def score(
    train: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
    task: Task = "single_label",
    dev: Sequence[Example] = (),
) -> dict[str, Evaluation]:
    """Every baseline that fits the labels, by the name to print.

    ``dev`` is where a multi-label task's thresholds are chosen, the baseline's as the classifier's.
    """
    if task == "multi_label":
        return {
            "TF-IDF + one-vs-rest logistic regression": one_vs_rest(train, dev, test, labels=labels)
        }
    scores = {"TF-IDF + logistic regression": tfidf(train, test, labels=labels)}
    if set(labels) == SENTIMENT:
        scores["VADER"] = vader(test, labels=labels)
    return scores


def tfidf(
    train: Sequence[Example], test: Sequence[Example], *, labels: Sequence[str]
) -> Evaluation:
    """Words and word pairs, weighted by TF-IDF, under multinomial logistic regression."""
    vectorizer = _vectorizer()
    features = vectorizer.fit_transform(example.text for example in train)
    model = _linear_model()
    model.fit(features, _truth(train, labels))
    fitted = model.predict_proba(vectorizer.transform(example.text for example in test))
    # a label that has no text in train has no column
    probabilities = np.zeros((len(test), len(labels)))
    probabilities[:, model.classes_] = fitted
    return evaluate(probabilities, _truth(test, labels), labels=labels)


def one_vs_rest(
    train: Sequence[Example],
    dev: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
) -> Evaluation:
    """As :func:`tfidf`, a logistic regression for each label and a threshold chosen on ``dev``."""
    vectorizer = _vectorizer()
    features = vectorizer.fit_transform(example.text for example in train)
    given = targets.label_indices(train, labels=labels, task="multi_label")
    parts = {
        name: vectorizer.transform(example.text for example in examples)
        for name, examples in (("dev", dev), ("test", test))
    }
    probabilities = {name: np.zeros((part.shape[0], len(labels))) for name, part in parts.items()}
    for label in range(len(labels)):
        if given[:, label].min() == given[:, label].max():
            # no text of train has the label, or all have
            for answers in probabilities.values():
                answers[:, label] = given[0, label]
            continue
        model = _linear_model().fit(features, given[:, label])
        for name, part in parts.items():
            probabilities[name][:, label] = model.predict_proba(part)[:, 1]
    return evaluate(
        probabilities["test"],
        targets.label_indices(test, labels=labels, task="multi_label"),
        labels=labels,
        thresholds=thresholds.choose(
            probabilities["dev"], targets.label_indices(dev, labels=labels, task="multi_label")
        ),
    )


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
    return evaluate(probabilities, _truth(test, labels), labels=labels)


def _vectorizer() -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode", dtype=np.float32
    )


def _linear_model() -> LogisticRegression:
    return LogisticRegression(C=2.0, max_iter=500)


def _truth(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    return targets.label_indices(examples, labels=labels, task="single_label")
