"""A linear teacher: words and pairs and triples of words, weighted by naive Bayes.

Wang, Manning: *Baselines and Bigrams: Simple, Good Sentiment and Topic Classification*, ACL 2012:
logistic regression on the presence of n-grams, each scaled by the ratio of its frequency in the
texts of a label to its frequency in the other texts. A linear model and a recurrent network err on
different long texts; the teacher's answers to unlabelled texts pass its knowledge on, as in
co-training (Blum, Mitchell: *Combining Labeled and Unlabeled Data with Co-Training*, COLT 1998).
Fitting takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from valence.service.classifier.manifest import TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.training.config.schema import N_GRAMS
from valence.training.distillation.teacher import TeacherData
from valence.training.linear.logistic_regression import Problem, fit_weights
from valence.training.runtime.progress import Reporter

_MAX_WORDS = 3  # of an n-gram
_MINIMUM_COUNT = 3
# Marks of emphasis count as words.
_WORD = r"\w+|[!?]"
_FOLDS = 5  # of the cross-fitting


class NGramTeacher:
    """Linear models fitted to and calibrated by ``data``.

    The logits of a training text come from a model that was fitted on the other folds: a model that
    was fitted on the text repeats its label (cross-fitting: Dao et al., *Knowledge Distillation as
    Semiparametric Inference*, ICLR 2021).
    """

    def __init__(self, data: TeacherData, *, reporter: Reporter) -> None:
        texts = data.texts
        targets = data.targets()
        reporter.say(f"{N_GRAMS}: fitting {_FOLDS + 1} linear models to {len(texts):,} texts")
        self._model = _fit(texts, targets)
        self._temperature = data.temperature(
            self._model.logits([example.text for example in data.dev])
        )
        self._held_out: dict[str, NDArray[np.float32]] = {}
        fold = np.random.default_rng(0).permutation(len(texts)) % _FOLDS
        for number in range(_FOLDS):
            train_rows = np.flatnonzero(fold != number).tolist()
            held_out = [texts[row] for row in np.flatnonzero(fold == number).tolist()]
            model = _fit([texts[row] for row in train_rows], targets[train_rows])
            self._held_out.update(zip(held_out, model.logits(held_out), strict=True))

    @property
    def origin(self) -> TeacherOrigin:
        """The package that fitted the models."""
        return TeacherOrigin(
            name=N_GRAMS, source=f"scikit-learn=={sklearn.__version__}", license="BSD-3-Clause"
        )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``."""
        logits = self._model.logits(texts)
        for row, text in zip(logits, texts, strict=True):
            row[:] = self._held_out.get(text, row)
        return logits / np.float32(self._temperature)


class _Label(NamedTuple):
    """A linear model of one label."""

    weights: NDArray[np.float32]  # of the n-grams
    bias: float

    def mirrored(self) -> _Label:
        """The linear model of the other label of two."""
        return _Label(-self.weights, -self.bias)


class _Model(NamedTuple):
    vectorizer: CountVectorizer
    labels: tuple[_Label, ...]

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Logits ``(N, K)``, not calibrated."""
        presence = self.vectorizer.transform(texts)
        columns = [presence @ label.weights + label.bias for label in self.labels]
        return np.stack(columns, axis=1).astype(np.float32)


def _fit(texts: Sequence[str], targets: NDArray[np.float32]) -> _Model:
    """Fit to ``targets``, probabilities ``(N, K)``."""
    vectorizer = CountVectorizer(
        ngram_range=(1, _MAX_WORDS),
        min_df=_MINIMUM_COUNT,
        binary=True,
        token_pattern=_WORD,
        dtype=np.float32,
    )
    try:
        presence = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise ConfigurationError(
            f"distillation.teacher {N_GRAMS!r}: no word is in {_MINIMUM_COUNT} of the "
            f"{len(texts):,} training texts; give more texts, or another teacher"
        ) from error
    if targets.shape[1] == 2 and np.allclose(targets.sum(axis=1), 1.0):
        label = _fit_label(presence, targets[:, 0])
        return _Model(vectorizer, (label, label.mirrored()))
    return _Model(vectorizer, tuple(_fit_label(presence, column) for column in targets.T))


def _fit_label(presence: sparse.csr_matrix, targets: NDArray[np.float32]) -> _Label:
    """Fit to ``targets``, probabilities ``(N,)``.

    A text with probability p counts p for the label and 1 - p against it.
    """
    if targets.min() >= 1.0 or targets.max() <= 0.0:  # the label of all texts, or of none
        odds = (targets.sum() + 1.0) / ((1.0 - targets).sum() + 1.0)
        return _Label(np.zeros(presence.shape[1], dtype=np.float32), float(np.log(odds)))
    with_label, without_label = (
        _count_shares(presence, weight) for weight in (targets, 1.0 - targets)
    )
    ratios = np.log(with_label / without_label).astype(np.float32)
    scaled = (presence @ sparse.diags(ratios)).tocsr()
    column = targets[:, np.newaxis].astype(np.float64)
    model = fit_weights(Problem(scaled, column, "multi_label", strength=1.0))
    return _Label(ratios * model.weights[:, 0].astype(np.float32), float(model.bias[0]))


def _count_shares(presence: sparse.csr_matrix, weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """The share of each n-gram among all n-grams of the weighted texts, with add-one smoothing."""
    counts = 1.0 + presence.T @ weight.astype(np.float64)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
