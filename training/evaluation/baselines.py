"""The baselines of a classifier: a linear model over n-grams, and a lexicon with rules.

Baselines are fitted and scored on the splits of the classifier. Only their scores are kept.
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


def score_baselines(
    train: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
    task: Task = "single_label",
    dev: Sequence[Example] = (),
) -> dict[str, Evaluation]:
    """The evaluations of all baselines that fit the labels, by the name to print.

    A multi-label task needs ``dev``, on which the thresholds of the baseline are chosen.
    """
    if task == "multi_label":
        return {
            "TF-IDF + one-vs-rest logistic regression": score_one_vs_rest(
                train, dev, test, labels=labels
            )
        }
    scores = {"TF-IDF + logistic regression": score_tfidf(train, test, labels=labels)}
    if set(labels) == SENTIMENT:
        scores["VADER"] = score_vader(test, labels=labels)
    return scores


def score_tfidf(
    train: Sequence[Example], test: Sequence[Example], *, labels: Sequence[str]
) -> Evaluation:
    """Multinomial logistic regression over words and word pairs, weighted by TF-IDF."""
    vectorizer = _make_vectorizer()
    features = vectorizer.fit_transform(example.text for example in train)
    model = _make_linear_model()
    model.fit(features, _label_indices(train, labels))
    fitted = model.predict_proba(vectorizer.transform(example.text for example in test))
    # the model has no column for a label without texts in train
    probabilities = np.zeros((len(test), len(labels)))
    probabilities[:, model.classes_] = fitted
    return evaluate(probabilities, _label_indices(test, labels), labels=labels)


def score_one_vs_rest(
    train: Sequence[Example],
    dev: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
) -> Evaluation:
    """As :func:`score_tfidf`, with one logistic regression for each label.

    The threshold of each label is chosen on ``dev``.
    """
    vectorizer = _make_vectorizer()
    features = vectorizer.fit_transform(example.text for example in train)
    train_truth = targets.label_indices(train, labels=labels, task="multi_label")
    held_out = {
        name: vectorizer.transform(example.text for example in examples)
        for name, examples in (("dev", dev), ("test", test))
    }
    probabilities = {
        name: np.zeros((matrix.shape[0], len(labels))) for name, matrix in held_out.items()
    }
    for label in range(len(labels)):
        if train_truth[:, label].min() == train_truth[:, label].max():
            # the label is constant in train
            for columns in probabilities.values():
                columns[:, label] = train_truth[0, label]
            continue
        model = _make_linear_model().fit(features, train_truth[:, label])
        for name, matrix in held_out.items():
            probabilities[name][:, label] = model.predict_proba(matrix)[:, 1]
    return evaluate(
        probabilities["test"],
        targets.label_indices(test, labels=labels, task="multi_label"),
        labels=labels,
        thresholds=thresholds.choose_thresholds(
            probabilities["dev"], targets.label_indices(dev, labels=labels, task="multi_label")
        ),
    )


def score_vader(test: Sequence[Example], *, labels: Sequence[str]) -> Evaluation:
    """VADER, the lexicon and rules of Hutto and Gilbert, which need no training.

    VADER predicts a label without a probability. The predicted label gets a probability of 1, so
    calibration error and Brier score are those of a classifier that is always certain.
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
    return evaluate(probabilities, _label_indices(test, labels), labels=labels)


def _make_vectorizer() -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode", dtype=np.float32
    )


def _make_linear_model() -> LogisticRegression:
    return LogisticRegression(C=2.0, max_iter=500)


def _label_indices(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    return targets.label_indices(examples, labels=labels, task="single_label")
