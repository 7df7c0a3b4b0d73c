"""Word vectors learnt from the user's own texts: word co-occurrences, reduced.

Levy, Goldberg, Dagan: *Improving Distributional Similarity with Lessons Learned from Word
Embeddings*, TACL 2015: positive pointwise mutual information under a truncated singular value
decomposition is as good as vectors that networks learn (word2vec), and takes sums and one library
call. As in that paper, contexts are smoothed and axes are weighted by the root of their singular
values; as in GloVe (Pennington, Socher, Manning, EMNLP 2014), a more distant word counts less.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier import tokenizer
from valence.service.classifier.emoji import normalize_emoji
from valence.training.embeddings.table import VectorTable

_WINDOW = 5  # words to either side
_MINIMUM_COUNT = 5  # rarer words have too few contexts
_MAX_WORDS = 50_000
_SMOOTHING = 0.75  # exponent of the frequencies of contexts, so that rare contexts do not dominate
_TEXTS_AT_ONCE = 8_192  # bounds the memory of word pairs before they are summed
_ITERATIONS = 3  # of the decomposition


def learn_vectors(texts: Iterable[str], size: int, *, numbers: Container[str] = ()) -> VectorTable:
    """Vectors of ``size`` numbers for the frequent words of ``texts``; fewer for few words.

    Numbers among ``numbers`` are words of their own; all others are one word. The order of the
    texts does not matter, except for rounding.
    """
    from sklearn.utils.extmath import randomized_svd  # half a second to import

    words, documents = _read(texts, numbers)
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *documents]), minlength=len(words))
    frequent = sorted(
        np.flatnonzero(counts >= _MINIMUM_COUNT).tolist(),
        key=lambda number: (-counts[number], words[number]),
    )[:_MAX_WORDS]
    if not frequent:
        return VectorTable({}, np.zeros((0, size), dtype=np.float32))
    rows = np.full(len(words), -1, dtype=np.int64)
    rows[frequent] = np.arange(len(frequent))
    information = _information(_count_pairs(documents, rows, words=len(frequent)))
    left, values, _ = randomized_svd(
        information, n_components=min(size, len(frequent)), n_iter=_ITERATIONS, random_state=0
    )
    return VectorTable(
        {words[number]: row for row, number in enumerate(frequent)},
        (left * np.sqrt(values)).astype(np.float32),
    )


def _read(
    texts: Iterable[str], numbers: Container[str]
) -> tuple[list[str], list[NDArray[np.int32]]]:
    """The words of ``texts``, and each text as indices of these words."""
    index_of: dict[str, int] = {}
    index_of_spelling: dict[str, int] = {}  # each spelling is normalized once
    documents = []
    for text in texts:
        surfaces = tokenizer.find_surfaces(text)
        for surface in surfaces:
            if surface not in index_of_spelling:
                word = tokenizer.normalize(surface, numbers)
                word = word if word in numbers else normalize_emoji(word)
                index_of_spelling[surface] = index_of.setdefault(word, len(index_of))
        documents.append(
            np.array([index_of_spelling[surface] for surface in surfaces], dtype=np.int32)
        )
    return list(index_of), documents


def _count_pairs(
    documents: Sequence[NDArray[np.int32]], rows: NDArray[np.int64], *, words: int
) -> sparse.csr_array:
    """Weighted co-occurrences of words, ``(words, words)``, symmetric; near words weigh more."""
    total = sparse.csr_array((words, words), dtype=np.float64)
    gap = np.full(_WINDOW, -1, dtype=np.int64)  # separates the words of two texts
    for start in range(0, len(documents), _TEXTS_AT_ONCE):
        chunk = documents[start : start + _TEXTS_AT_ONCE]
        ids = np.concatenate([ids for document in chunk for ids in (rows[document], gap)])
        for distance in range(1, _WINDOW + 1):
            first, second = ids[:-distance], ids[distance:]
            both = (first >= 0) & (second >= 0)
            pairs, counts = np.unique(first[both] * words + second[both], return_counts=True)
            total += sparse.csr_array(
                (counts / distance, np.divmod(pairs, words)), shape=total.shape
            )
    return total + total.T


def _information(cooccurrences: sparse.csr_array) -> sparse.csr_array:
    """Positive pointwise mutual information of words and their smoothed contexts."""
    frequencies = np.asarray(cooccurrences.sum(axis=1)).ravel()
    contexts = frequencies**_SMOOTHING
    pairs = cooccurrences.tocoo()
    first, second = pairs.coords
    information = np.log(pairs.data * contexts.sum() / (frequencies[first] * contexts[second]))
    positive = information > 0.0
    return sparse.csr_array(
        (information[positive], (first[positive], second[positive])), shape=cooccurrences.shape
    )
