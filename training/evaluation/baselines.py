"""The baselines of a classifier: a linear model over n-grams, and a lexicon with rules.

Baselines are fitted and scored on the splits of the classifier. Only their scores are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
from valence.service.classifier.manifest import Task
from valence.service.errors import ValenceError
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.metrics import thresholds
from valence.training.metrics.predictions import Floats, Predictions
from valence.training.metrics.scores import Evaluation, evaluate

SENTIMENT = frozenset({"negative", "neutral", "positive"})
LINEAR = "TF-IDF + logistic regression"
ONE_VS_REST = "TF-IDF + one-vs-rest logistic regression"
# the thresholds that VADER's authors recommend for its compound score in [-1, 1]
_VADER_NEUTRAL = 0.05
_MINIMUM_COUNT = 2  # texts with an n-gram


class Unfit(ValenceError):
    """The training texts are such that a baseline cannot be fitted to them."""


class Scored(NamedTuple):
    """The predictions of a baseline, and their evaluation."""

    predictions: Predictions
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Baselines:
    """The fitted baselines by the name to print, and the reason why another one is left out."""

    scored: Mapping[str, Scored]
    left_out: str = ""

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """The evaluations by name."""
        return {name: scored.evaluation for name, scored in self.scored.items()}

    @property
    def linear(self) -> Predictions | None:
        """The predictions of the linear model; None if it is left out."""
        found = self.scored.get(LINEAR) or self.scored.get(ONE_VS_REST)
        return None if found is None else found.predictions


def score_baselines(
    train: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
    task: Task = "single_label",
    dev: Sequence[Example] = (),
) -> Baselines:
    """All baselines that fit the labels.

    A multi-label task needs ``dev``, on which the thresholds of the baseline are chosen.
    """
    scored: dict[str, Scored] = {}
    left_out = ""
    try:
        if task == "multi_label":
            scored[ONE_VS_REST] = score_one_vs_rest(train, dev, test, labels=labels)
        else:
            scored[LINEAR] = score_tfidf(train, test, labels=labels)
    except Unfit as reason:
        left_out = f"the linear model is left out: {reason}"
    if task == "single_label" and set(labels) == SENTIMENT:
        scored["VADER"] = score_vader(test, labels=labels)
    return Baselines(scored, left_out)


def score_tfidf(
    train: Sequence[Example], test: Sequence[Example], *, labels: Sequence[str]
) -> Scored:
    """Multinomial logistic regression over words and word pairs, weighted by TF-IDF.

    Raises :class:`Unfit`.
    """
    vectorizer, features = _fit_vectorizer(train)
    truth = _label_indices(train, labels)
    if truth.min() == truth.max():
        raise Unfit("all training texts have one label")
    model = _make_linear_model()
    model.fit(features, truth)
    fitted = model.predict_proba(vectorizer.transform(example.text for example in test))
    # the model has no column for a label without texts in train
    probabilities = np.zeros((len(test), len(labels)))
    probabilities[:, model.classes_] = fitted
    return _evaluate(probabilities, _label_indices(test, labels), labels)


def score_one_vs_rest(
    train: Sequence[Example],
    dev: Sequence[Example],
    test: Sequence[Example],
    *,
    labels: Sequence[str],
) -> Scored:
    """As :func:`score_tfidf`, with one logistic regression for each label.

    The threshold of each label is chosen on ``dev``.
    """
    vectorizer, features = _fit_vectorizer(train)
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
    return _evaluate(
        probabilities["test"],
        targets.label_indices(test, labels=labels, task="multi_label"),
        labels,
        thresholds.choose_thresholds(
            probabilities["dev"], targets.label_indices(dev, labels=labels, task="multi_label")
        ),
    )


def score_vader(test: Sequence[Example], *, labels: Sequence[str]) -> Scored:
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
    return _evaluate(probabilities, _label_indices(test, labels), labels)


def _evaluate(
    probabilities: Floats,
    truth: NDArray[np.int64],
    labels: Sequence[str],
    chosen: Sequence[float] | None = None,
) -> Scored:
    return Scored(
        Predictions.from_probabilities(probabilities, truth, thresholds=chosen),
        evaluate(probabilities, truth, labels=labels, thresholds=chosen),
    )


def _fit_vectorizer(train: Sequence[Example]) -> tuple[TfidfVectorizer, sparse.csr_matrix]:
    """The vectorizer of the training texts, and their features ``(texts, n-grams)``."""
    vectorizer = _make_vectorizer()
    try:
        return vectorizer, vectorizer.fit_transform(example.text for example in train)
    except ValueError:
        raise Unfit(
            f"no word of two letters or more is in {_MINIMUM_COUNT} of the {len(train):,} training "
            "texts"
        ) from None


def _make_vectorizer() -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=_MINIMUM_COUNT,
        sublinear_tf=True,
        strip_accents="unicode",
        dtype=np.float32,
    )


def _make_linear_model() -> LogisticRegression:
    return LogisticRegression(C=2.0, max_iter=500)


def _label_indices(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    return targets.label_indices(examples, labels=labels, task="single_label")
