"""A linear model over n-grams, fitted to texts, as the tensors of an artifact.

Texts are vectors of TF-IDF of length 1, in which an n-gram counts once. See
:mod:`valence.service.classifier.ngrams` for how a text is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier.architecture import NGRAM_SCALES, NGRAM_WEIGHTS, NGRAM_WORDS
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import NGramSection
from valence.training.data.batches import EncodedTexts
from valence.training.linear.logistic_regression import Problem, fit_weights
from valence.training.linear.ngram_choice import choose_ngrams
from valence.training.linear.word_parts import make_word_parts

MAX_WEIGHTS = 2**23
"""Weights of all n-grams and labels: fitting takes some fifteen times their memory."""

MANY_DEV_TEXTS = 1_000
"""So many dev texts are not learnt: they calibrate well, and the training texts are many too."""

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class NGramModel:
    """``table`` and ``bias`` ``(K,)`` give logits; ``tensors`` are those of the table."""

    tensors: dict[str, NDArray[np.float32]]
    bias: NDArray[np.float32]
    table: NGramTable

    @property
    def size(self) -> int:
        """The number of n-grams."""
        return len(self.tensors[NGRAM_SCALES])

    def compute_logits(self, texts: EncodedTexts) -> NDArray[np.float32]:
        """Logits ``(texts, K)``."""
        logits: NDArray[np.float32] = self.table.logits(texts.documents()) + self.bias
        return logits

    def compute_features(self, texts: EncodedTexts) -> sparse.csr_matrix:
        """The vectors of ``texts`` ``(N, n-grams)``, of length 1."""
        return _make_features(self.table, texts, self.tensors[NGRAM_SCALES].astype(np.float64))

    def scaled(self, factor: float) -> NGramModel:
        """The model whose logits are ``factor`` times as large."""
        tensors = {**self.tensors, NGRAM_WEIGHTS: self.tensors[NGRAM_WEIGHTS] * np.float32(factor)}
        return _make_model(tensors, self.bias * np.float32(factor), self.table.vocabulary_size)


def fit_ngram_model(
    texts: EncodedTexts,
    vocabulary: Vocabulary,
    settings: NGramSection,
    vectors: NDArray[np.float32] | None = None,
) -> NGramModel:
    """Fit to ``texts``, which ``vocabulary`` has encoded, and their soft targets.

    ``vectors`` ``(words, size)`` are those of the vocabulary. The weight of a word that no text has
    is that of its parts: its characters and its vector.
    """
    documents, size = texts.documents(), len(vocabulary)
    targets = texts.targets.astype(np.float64)
    limit = max(MAX_WEIGHTS // targets.shape[1], 1)
    words, counts = choose_ngrams(
        documents,
        vocabulary_size=size,
        order=settings.words,
        minimum_count=settings.minimum_count,
        limit=limit,
    )
    scales = 1.0 + np.log((1.0 + len(documents)) / (1.0 + counts))
    tensors = {
        NGRAM_WORDS: words,
        NGRAM_SCALES: scales.astype(np.float32),
        NGRAM_WEIGHTS: np.zeros((len(words), targets.shape[1]), dtype=np.float32),
    }
    table = NGramTable(tensors, vocabulary_size=size)
    single = words[:, 1] == 0
    ids = words[single, 0].astype(np.int64)
    parts = make_word_parts(
        [vocabulary.words[word] for word in ids.tolist()],
        counts[single],
        settings,
        texts=len(documents),
        limit=limit,
        vectors=None if vectors is None else vectors[ids],
    )
    present = np.flatnonzero(counts)  # the others would have no weight but that of their parts
    features = _make_features(table, texts, scales)[:, present]
    found = fit_weights(
        Problem(features, targets, texts.task, settings.strength, parts[counts[single] > 0])
    )
    weights = np.zeros((len(words), targets.shape[1]))
    weights[: len(ids)] = parts @ found.parts
    weights[present] = found.weights
    tensors[NGRAM_WEIGHTS] = (weights * scales[:, np.newaxis]).astype(np.float32)
    return _make_model(tensors, found.bias.astype(np.float32), size)


def fit_with_dev(
    train: EncodedTexts,
    dev: EncodedTexts,
    vocabulary: Vocabulary,
    settings: NGramSection,
    vectors: NDArray[np.float32] | None = None,
) -> tuple[NGramModel, NDArray[np.float32]]:
    """The model of ``train`` and, if they are few, of ``dev``; and logits of the dev texts.

    These logits are of models that have not learnt the text, so calibration and scores on dev stay
    honest, while few labelled texts are not wasted.
    """
    if len(dev) >= MANY_DEV_TEXTS:
        model = fit_ngram_model(train, vocabulary, settings, vectors)
        return model, model.compute_logits(dev)
    logits = np.empty((len(dev), dev.targets.shape[1]), dtype=np.float32)
    fold_of = np.arange(len(dev)) % _FOLDS
    for number in np.unique(fold_of).tolist():
        rows, others = np.flatnonzero(fold_of == number), np.flatnonzero(fold_of != number)
        learnt = EncodedTexts.joined([train, dev.take(others)])
        model = fit_ngram_model(learnt, vocabulary, settings, vectors)
        logits[rows] = model.compute_logits(dev.take(rows))
    whole = EncodedTexts.joined([train, dev])
    return fit_ngram_model(whole, vocabulary, settings, vectors), logits


def _make_model(
    tensors: dict[str, NDArray[np.float32]], bias: NDArray[np.float32], vocabulary_size: int
) -> NGramModel:
    return NGramModel(tensors, bias, NGramTable(tensors, vocabulary_size=vocabulary_size))


def _make_features(
    table: NGramTable, texts: EncodedTexts, scales: NDArray[np.float64]
) -> sparse.csr_matrix:
    """The vectors of ``texts`` ``(N, n-grams)``, of length 1."""
    owners, rows, _ = table.list_ngrams(texts.documents())
    shape = (len(texts), len(scales))
    matrix = sparse.csr_matrix((scales[rows], (owners, rows)), shape=shape)
    lengths = np.sqrt(np.bincount(owners, scales[rows] ** 2, minlength=len(texts)))
    return (sparse.diags(1.0 / np.maximum(lengths, 1e-12)) @ matrix).tocsr()
