"""Near-copies: texts that differ in a word or a sentence, found by MinHash.

A text is the set of its words and of its pairs of neighbouring words, folded
(:func:`valence.training.folding.fold`); two texts are near-copies if their sets have a Jaccard similarity
of :data:`SIMILARITY` or more. For candidates: A. Broder, *On the Resemblance and Containment of
Documents*, SEQUENCES 1997; bands of minima: J. Leskovec, A. Rajaraman and J. Ullman, *Mining of
Massive Datasets*, chapter 3. Candidates are compared exactly, so none is reported by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.training.folding import fold
from valence.training.split import Pair, Splits

# one word changed in nine, or a sentence added to three
SIMILARITY = 0.7
# Above this share of the training texts near-copies are what the data are like (texts filled into
# a template), and taking them out would leave another task.
MOST_WITHDRAWN = 0.2
# A pair of similarity s is a candidate with probability 1 - (1 - s^4)^24: 0.9986 at 0.7, 0.18 at
# 0.3
_BANDS, _ROWS = 24, 4
# texts made from one template fall together by the thousand; each is compared with so many of them
_MOST_PARTNERS = 8
_CHUNK = 1 << 16
_SEED = 0


def withdraw(splits: Splits) -> Splits:
    """Take out of train the near-copies of dev and test texts, which would flatter the model.

    Dev and test stay as they are, so that figures stay comparable. A near-copy with another label
    stays, for it flatters nobody; so do all if they are more than :data:`MOST_WITHDRAWN` of train.
    """
    parts = (splits.train, splits.dev, splits.test)
    found = near_copies(*([example.text for example in part] for part in parts))
    everything = [example for part in parts for example in part]
    pairs = [(place, int(other)) for place, other in enumerate(found) if other >= 0]
    leaked = {
        place
        for place, other in pairs
        if place < len(splits.train) and everything[place].labels == everything[other].labels
    }
    if len(leaked) > MOST_WITHDRAWN * len(splits.train):
        leaked = set()
    train = tuple(one for place, one in enumerate(splits.train) if place not in leaked)
    return Splits(
        train,
        splits.dev,
        splits.test,
        near_copies=tuple(Pair(everything[place], everything[other]) for place, other in pairs),
        withdrawn=len(leaked),
    )


def near_copies(*parts: Sequence[str]) -> NDArray[np.int64]:
    """For each text its most similar near-copy in a later part, or -1: shape (texts of all parts,).

    Texts are numbered through the parts. Of very many candidates a few are compared. The same texts
    give the same result in every process.
    """
    texts = [text for part in parts for text in part]
    found = np.full(len(texts), -1, dtype=np.int64)
    if not texts:
        return found
    sets = _sets(texts)  # (texts, shingles)
    sizes = np.diff(sets.indptr)
    pairs = _candidates(_minima(sets), [len(part) for part in parts])
    best = np.zeros(len(texts))
    for start in range(0, len(pairs), _CHUNK):
        left, right = pairs[start : start + _CHUNK].T
        shared = np.asarray(sets[left].multiply(sets[right]).sum(axis=1)).ravel()
        similarity = shared / np.maximum(1, sizes[left] + sizes[right] - shared)
        better = (similarity >= SIMILARITY) & (similarity > best[left])
        # of several values for one place the last is kept, which is the most similar
        order = np.flatnonzero(better)[np.argsort(similarity[better], kind="stable")]
        found[left[order]] = right[order]
        best[left[order]] = similarity[order]
    return found


def _sets(texts: Sequence[str]) -> sparse.csr_array:
    """A row of ones a text, at the columns of its words and pairs: shape (texts, shingles)."""
    numbers: dict[str, int] = {}
    documents = [
        [numbers.setdefault(w, len(numbers)) for w in fold(text).split()] for text in texts
    ]
    owners = np.repeat(np.arange(len(texts)), [len(document) for document in documents])
    words = np.array([number for document in documents for number in document], dtype=np.int64)
    within = owners[1:] == owners[:-1]
    _, pairs = np.unique((words[:-1] * len(numbers) + words[1:])[within], return_inverse=True)
    columns = np.concatenate([words, pairs + len(numbers)])
    rows = np.concatenate([owners, owners[1:][within]])
    shape = (len(texts), int(columns.max(initial=0)) + 1)
    sets = sparse.csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)
    sets.sum_duplicates()
    sets.data[:] = 1
    return sets


def _minima(sets: sparse.csr_array) -> NDArray[np.uint32]:
    """The least of the random numbers of each text's shingles, shape (bands * rows, texts)."""
    generator = np.random.default_rng(_SEED)
    minima = np.zeros((_BANDS * _ROWS, sets.shape[0]), dtype=np.uint32)
    some = np.flatnonzero(np.diff(sets.indptr))
    for row in minima:
        numbers = generator.integers(0, 2**32, size=sets.shape[1], dtype=np.uint32)
        row[some] = np.minimum.reduceat(numbers[sets.indices], sets.indptr[some])
    return minima


def _candidates(minima: NDArray[np.uint32], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Pairs of a text and one of a later part that share a band, each once: shape (pairs, 2)."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in minima.reshape(_BANDS, _ROWS, -1):
        # four numbers of 32 bits are one key of 128
        keys = np.ascontiguousarray(band.T).view(np.dtype((np.void, 4 * _ROWS))).ravel()
        _, buckets = np.unique(keys, return_inverse=True)
        start = 0
        for size in sizes[:-1]:
            found += _sharing(buckets, start, start + size)
            start += size
    return np.unique(np.concatenate(found), axis=0)


def _sharing(buckets: NDArray[np.int64], start: int, end: int) -> list[NDArray[np.int64]]:
    """Pairs of a text from ``start`` to ``end`` and one after it in the same bucket."""
    later = end + np.argsort(buckets[end:], kind="stable")
    first = np.searchsorted(buckets[later], buckets[start:end], side="left")
    stop = np.searchsorted(buckets[later], buckets[start:end], side="right")
    found = []
    for step in range(_MOST_PARTNERS):
        there = np.flatnonzero(first + step < stop)
        found.append(np.stack([start + there, later[(first + step)[there]]], axis=1))
    return found
