"""The parts of words whose weights words share: their characters and their vectors.

A word that no text has then has the weight of its parts. So a linear model over words knows words
of a like meaning, as a model over the mean of static vectors does (Tulkens, van Dongen: *Model2Vec:
Fast State-of-the-Art Static Embeddings*, 2024), and serving still reads words alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import Configuration, NGramSection
from valence.training.embeddings.word_vectors import load_word_vectors
from valence.training.linear.characters import make_character_matrix
from valence.training.runtime.run import Run

# of the vectors of an encoder: serving does not hold them, and fewer tell less (training log)
_SIZE = 256


def load_ngram_vectors(
    configuration: Configuration, vocabulary: Vocabulary, run: Run
) -> NDArray[np.float32] | None:
    """The vectors ``(words, size)`` of the n-grams of ``configuration``; None without any.

    Raises as :func:`load_word_vectors` does.
    """
    settings = configuration.ngrams
    if settings is None or not settings.vectors:
        return None
    size = max(configuration.words.encoder_size, _SIZE)
    sources = configuration.words.model_copy(
        update={"vectors": settings.vectors, "encoder_size": size}
    )
    return load_word_vectors(
        sources, vocabulary, texts=(), cache=run.workspace.corpora, progress=run.reporter.say
    ).values


def make_word_parts(
    words: Sequence[str],
    counts: NDArray[np.int64],
    settings: NGramSection,
    *,
    texts: int,
    limit: int,
    vectors: NDArray[np.float32] | None,
) -> Any:
    """``(words, parts)``, sparse: at most ``limit`` n-grams of characters, then the vectors.

    ``counts`` ``(words,)`` are the numbers of the ``texts`` with each word. Characters of a word
    have the length that ``settings`` say, and its vector has the length 1, or 0.
    """
    characters = settings.character_weight * make_character_matrix(
        words, limit=limit if settings.characters else 0, counts=counts, texts=texts
    )
    if vectors is None:
        return characters
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    known = sparse.csr_matrix(vectors / np.maximum(lengths, 1e-12))
    return sparse.hstack([characters, known]).tocsr()
