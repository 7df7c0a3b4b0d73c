"""A linear model that teaches: words, pairs and triples of them, weighted by naive Bayes.

Wang, Manning: *Baselines and Bigrams: Simple, Good Sentiment and Topic Classification*, ACL 2012:
logistic regression on which n-grams a text has, each scaled by how much more of a label's texts
have it than of the others'. Of long texts it knows what a recurrent network does not, and the other
way round; what it says of unlabelled texts passes that on, as in co-training (Blum, Mitchell:
*Combining Labeled and Unlabeled Data with Co-Training*, COLT 1998). It is fitted in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from valence.service.classifier.manifest import TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.training.configuration import N_GRAMS
from valence.training.distillation.teacher import Lesson
from valence.training.progress import Reporter

_LONGEST = 3  # words
_MINIMUM_COUNT = 3
# marks that tell how much is meant count as words
_WORD = r"\w+|[!?]"
_STEPS = 200
_FOLDS = 5  # that the training texts are dealt into


class NGrams:
    """Fitted to and calibrated by a ``lesson``.

    For a training text answers a model that was not fitted on it, but on four fifths of the others:
    one that was says the label that it was told (cross-fitting: Dao et al., *Knowledge Distillation
    as Semiparametric Inference*, ICLR 2021).
    """

    def __init__(self, lesson: Lesson, *, reporter: Reporter) -> None:
        texts = [example.text for example in lesson.train]
        wanted = lesson.wanted()
        reporter.say(f"{N_GRAMS}: fitting {_FOLDS + 1} linear models to {len(texts):,} texts")
        self._model = _fit(texts, wanted)
        self._temperature = lesson.temperature(
            self._model.logits([example.text for example in lesson.dev])
        )
        self._held_out: dict[str, NDArray[np.float32]] = {}
        fold = np.random.default_rng(0).permutation(len(texts)) % _FOLDS
        for number in range(_FOLDS):
            others = np.flatnonzero(fold != number).tolist()
            own = [texts[row] for row in np.flatnonzero(fold == number).tolist()]
            one = _fit([texts[row] for row in others], wanted[others])
            self._held_out.update(zip(own, one.logits(own), strict=True))

    @property
    def origin(self) -> TeacherOrigin:
        """The package that it is made with."""
        return TeacherOrigin(
            name=N_GRAMS, source=f"scikit-learn=={sklearn.__version__}", license="BSD-3-Clause"
        )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``."""
        found = self._model.logits(texts)
        for row, text in zip(found, texts, strict=True):
            row[:] = self._held_out.get(text, row)
        return found / np.float32(self._temperature)


class _Label(NamedTuple):
    """Decides on one label alone."""

    weights: NDArray[np.float32]  # of the n-grams
    bias: float

    def mirrored(self) -> _Label:
        """Decides on the label that a text has if, and only if, it has not this one."""
        return _Label(-self.weights, -self.bias)


class _Model(NamedTuple):
    vectorizer: CountVectorizer
    labels: tuple[_Label, ...]

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Logits ``(N, K)``, not calibrated."""
        has = self.vectorizer.transform(texts)
        columns = [has @ one.weights + one.bias for one in self.labels]
        return np.stack(columns, axis=1).astype(np.float32)


def _fit(texts: Sequence[str], wanted: NDArray[np.float32]) -> _Model:
    """``wanted`` are probabilities ``(N, K)``."""
    vectorizer = CountVectorizer(
        ngram_range=(1, _LONGEST),
        min_df=_MINIMUM_COUNT,
        binary=True,
        token_pattern=_WORD,
        dtype=np.float32,
    )
    try:
        has = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise ConfigurationError(
            f"distillation.teacher {N_GRAMS!r}: no word is in {_MINIMUM_COUNT} of the "
            f"{len(texts):,} training texts; give more texts, or another teacher"
        ) from error
    if wanted.shape[1] == 2 and np.allclose(wanted.sum(axis=1), 1.0):
        one = _decide(has, wanted[:, 0])
        return _Model(vectorizer, (one, one.mirrored()))
    return _Model(vectorizer, tuple(_decide(has, column) for column in wanted.T))


def _decide(has: sparse.csr_matrix, wanted: NDArray[np.float32]) -> _Label:
    """``wanted`` are probabilities ``(N,)``; a text that is half of a label counts half for it."""
    rows = [np.flatnonzero(wanted > 0.0), np.flatnonzero(wanted < 1.0)]
    if not all(map(len, rows)):  # the label of all texts, or of none
        odds = (wanted.sum() + 1.0) / ((1.0 - wanted).sum() + 1.0)
        return _Label(np.zeros(has.shape[1], dtype=np.float32), float(np.log(odds)))
    of, others = (_shares(has, weight) for weight in (wanted, 1.0 - wanted))
    ratios = np.log(of / others).astype(np.float32)
    places = np.concatenate(rows)
    is_one = np.repeat([1, 0], list(map(len, rows)))
    weight = np.concatenate([wanted[rows[0]], 1.0 - wanted[rows[1]]])
    scaled = (has @ sparse.diags(ratios))[places]
    model = LogisticRegression(max_iter=_STEPS).fit(scaled, is_one, sample_weight=weight)
    return _Label(ratios * model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _shares(has: sparse.csr_matrix, weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of what these texts have is each n-gram, one text more for each."""
    counts = 1.0 + has.T @ weight.astype(np.float64)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
