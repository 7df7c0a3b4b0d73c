"""The choice of the n-grams that a linear model has weights for, from documents of word ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.architecture import MAX_ORDER
from valence.service.classifier.vocabulary import UNKNOWN_ID, WordIds

_Rows = NDArray[np.int64]
_NONE = -1


class NGrams(NamedTuple):
    """``words`` ``(N, 3)``: the ids of each n-gram's words, then zeros, single words first.

    ``counts`` ``(N,)`` are the numbers of documents with each n-gram.
    """

    words: NDArray[np.float32]
    counts: _Rows


def choose_ngrams(
    documents: Sequence[WordIds],
    *,
    vocabulary_size: int,
    order: int,
    minimum_count: int,
    limit: int,
) -> NGrams:
    """Every word of the vocabulary, and n-grams of up to ``order`` words.

    They are in ``minimum_count`` documents or more. At most ``limit`` n-grams are chosen: shorter
    ones before longer ones, then those of most documents.
    """
    ids = np.concatenate([np.zeros(0, np.int64), *documents])
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    owners = np.repeat(np.arange(len(documents)), lengths)
    words = np.arange(1, vocabulary_size)
    counts = _count_documents(owners, ids, vocabulary_size)[words]
    chosen = np.sort(np.argsort(-counts, kind="stable")[:limit])
    row_of = np.full(vocabulary_size, _NONE, dtype=np.int64)
    row_of[words[chosen]] = np.arange(len(chosen))
    table = np.zeros((len(chosen), MAX_ORDER), dtype=np.int64)
    table[:, 0] = words[chosen]
    counts = counts[chosen]
    places, rows = _keep(np.arange(len(ids)), row_of[ids])
    for length in range(2, order + 1):
        last = places + length - 1
        inside = last < len(ids)
        places, rows, last = places[inside], rows[inside], last[inside]
        inside = (owners[places] == owners[last]) & (ids[last] != UNKNOWN_ID)
        places, rows, last = places[inside], rows[inside], last[inside]
        keys, index = np.unique(rows * vocabulary_size + ids[last], return_inverse=True)
        found = _count_documents(owners[places], index, len(keys))
        order_of = np.argsort(-found, kind="stable")
        order_of = order_of[found[order_of] >= minimum_count][: limit - len(table)]
        row_of = np.full(len(keys), _NONE, dtype=np.int64)
        row_of[order_of] = len(table) + np.arange(len(order_of))
        before, word = np.divmod(keys[order_of], vocabulary_size)
        longer = table[before]
        longer[:, length - 1] = word
        table = np.concatenate([table, longer])
        counts = np.concatenate([counts, found[order_of]])
        places, rows = _keep(places, row_of[index])
    return NGrams(table.astype(np.float32), counts)


def _count_documents(owners: _Rows, index: _Rows, size: int) -> _Rows:
    """The number of documents with each of ``size`` things; ``index`` is that of each token."""
    pairs = np.unique(owners * size + index)
    return np.bincount(pairs % max(size, 1), minlength=size)


def _keep(places: _Rows, rows: _Rows) -> tuple[_Rows, _Rows]:
    known = rows != _NONE
    return places[known], rows[known]
