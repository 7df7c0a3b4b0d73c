"""Word vectors learnt from one's own texts: which words stand beside which, reduced.

Levy, Goldberg, Dagan: *Improving Distributional Similarity with Lessons Learned from Word
Embeddings*, TACL 2015: positive pointwise mutual information under a truncated singular value
decomposition tells as much as what networks learn (word2vec), and takes sums and one library call.
As there, contexts are smoothed and axes weighted by the root of their singular values; as in GloVe
(Pennington, Socher, Manning, EMNLP 2014), a word that is further away counts less.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier import tokenizer
from valence.training.embeddings.table import VectorTable

_WINDOW = 5  # words to either side
_MINIMUM_COUNT = 5  # too little is known of rarer words
_MOST_WORDS = 50_000
_SMOOTHING = 0.75  # exponent of the contexts' frequencies: rare ones tell too much otherwise
_TEXTS_AT_ONCE = 8_192  # bounds the memory that pairs of words take before they are summed
_ITERATIONS = 3  # of the decomposition


def learn_vectors(texts: Iterable[str], size: int, *, numbers: Container[str] = ()) -> VectorTable:
    """``size`` numbers for each word that ``texts`` hold often enough; fewer where words are few.

    Of numbers, those among ``numbers`` are words of their own, the others one word. The order of
    the texts does not matter, but for rounding.
    """
    from sklearn.utils.extmath import randomized_svd  # half a second to import

    words, documents = _read(texts, numbers)
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *documents]), minlength=len(words))
    frequent = sorted(
        np.flatnonzero(counts >= _MINIMUM_COUNT).tolist(),
        key=lambda number: (-counts[number], words[number]),
    )[:_MOST_WORDS]
    if not frequent:
        return VectorTable({}, np.zeros((0, size), dtype=np.float32))
    rows = np.full(len(words), -1, dtype=np.int64)
    rows[frequent] = np.arange(len(frequent))
    information = _information(_together(documents, rows, words=len(frequent)))
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
    """The words of ``texts``, and each text as their places there."""
    places: dict[str, int] = {}
    of_spelling: dict[str, int] = {}  # each is normalized once
    documents = []
    for text in texts:
        surfaces = tokenizer.find_surfaces(text)
        for surface in surfaces:
            if surface not in of_spelling:
                word = tokenizer.normalize(surface, numbers)
                of_spelling[surface] = places.setdefault(word, len(places))
        documents.append(np.array([of_spelling[surface] for surface in surfaces], dtype=np.int32))
    return list(places), documents


def _together(
    documents: Sequence[NDArray[np.int32]], rows: NDArray[np.int64], *, words: int
) -> sparse.csr_array:
    """How often words stand beside words, ``(words, words)``, symmetric; the nearer the more."""
    found = sparse.csr_array((words, words), dtype=np.float64)
    nothing = np.full(_WINDOW, -1, dtype=np.int64)  # keeps a text's words from the next one's
    for start in range(0, len(documents), _TEXTS_AT_ONCE):
        some = documents[start : start + _TEXTS_AT_ONCE]
        ids = np.concatenate([part for document in some for part in (rows[document], nothing)])
        for distance in range(1, _WINDOW + 1):
            first, second = ids[:-distance], ids[distance:]
            both = (first >= 0) & (second >= 0)
            pairs, counts = np.unique(first[both] * words + second[both], return_counts=True)
            found += sparse.csr_array(
                (counts / distance, np.divmod(pairs, words)), shape=found.shape
            )
    return found + found.T


def _information(together: sparse.csr_array) -> sparse.csr_array:
    """Positive pointwise mutual information of words and their smoothed contexts."""
    often = np.asarray(together.sum(axis=1)).ravel()
    contexts = often**_SMOOTHING
    pairs = together.tocoo()
    first, second = pairs.coords
    information = np.log(pairs.data * contexts.sum() / (often[first] * contexts[second]))
    positive = information > 0.0
    return sparse.csr_array(
        (information[positive], (first[positive], second[positive])), shape=together.shape
    )
