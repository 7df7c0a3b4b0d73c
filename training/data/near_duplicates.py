"""Find near-duplicates, texts that differ in a word or a sentence, by MinHash.

A text is the set of the words and of the pairs of neighbouring words of its normal form
(:mod:`valence.training.corpora.normal_form`). Two texts are near-duplicates if their sets have a
Jaccard similarity of :data:`SIMILARITY` or more. For candidates: A. Broder, *On the Resemblance and
Containment of Documents*, SEQUENCES 1997; bands of minima: J. Leskovec, A. Rajaraman and J. Ullman,
*Mining of Massive Datasets*, chapter 3. Candidates are compared exactly, so none is reported by
chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.classifier.scripts import CLUSTER, UNSPACED
from valence.service.classifier.tokenizer import has_unspaced
from valence.training.corpora.example import Example
from valence.training.data.split import NearDuplicatePair, Splits

# One word of nine changed, or a sentence added to three.
SIMILARITY = 0.7
# Above this share of the training texts, near-duplicates are typical of the data (texts filled into
# a template), and their removal would change the task.
MAX_WITHDRAWN = 0.2
# A pair of similarity s is a candidate with probability 1 - (1 - s^4)^24: 0.9986 at 0.7, 0.18 at
# 0.3
_BANDS, _ROWS = 24, 4
# Thousands of texts made from one template share a bucket; each text is compared with at most so
# many of them.
_MAX_PARTNERS = 8
_CHUNK = 1 << 16
_SEED = 0
_WORD = re.compile(rf"{CLUSTER}|[^\s{UNSPACED}]+")


def remove_near_duplicates(splits: Splits) -> Splits:
    """Remove the near-duplicates of dev and test texts from train: they would inflate the scores.

    Dev and test stay unchanged, so that scores stay comparable. A near-duplicate with another label
    stays in train, since it does not inflate a score. All of them stay if they are more than
    :data:`MAX_WITHDRAWN` of train.
    """
    parts = (splits.train, splits.dev, splits.test)
    found = find_near_duplicates(*parts)
    examples = [example for part in parts for example in part]
    pairs = [(index, int(other)) for index, other in enumerate(found) if other >= 0]
    leaked = {
        index
        for index, other in pairs
        if index < len(splits.train) and examples[index].labels == examples[other].labels
    }
    if len(leaked) > MAX_WITHDRAWN * len(splits.train):
        leaked = set()
    train = tuple(example for index, example in enumerate(splits.train) if index not in leaked)
    return Splits(
        train,
        splits.dev,
        splits.test,
        near_duplicates=tuple(
            NearDuplicatePair(examples[index], examples[other]) for index, other in pairs
        ),
        withdrawn=len(leaked),
    )


def find_near_duplicates(*parts: Sequence[Example]) -> NDArray[np.int64]:
    """The index of each text's most similar near-duplicate in a later part, or -1.

    Shape (texts of all parts,); indices count through all parts. Where there are very many
    candidates, a few are compared. The same texts give the same result in every process.
    """
    texts = [example.normal_form for part in parts for example in part]
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
        # NumPy keeps the last of several values for one index; sorted, that is the most similar.
        order = np.flatnonzero(better)[np.argsort(similarity[better], kind="stable")]
        found[left[order]] = right[order]
        best[left[order]] = similarity[order]
    return found


def _sets(texts: Sequence[str]) -> sparse.csr_array:
    """Ones at the columns of each text's words and pairs: shape (texts, shingles).

    ``texts`` are normal forms.
    """
    numbers: dict[str, int] = {}
    documents = [
        [numbers.setdefault(word, len(numbers)) for word in _split_words(text)] for text in texts
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


def _split_words(text: str) -> list[str]:
    """The words of a normal form; each letter of a script without spaces is a word."""
    return _WORD.findall(text) if has_unspaced(text) else text.split()


def _minima(sets: sparse.csr_array) -> NDArray[np.uint32]:
    """The minima of the random numbers of each text's shingles, shape (bands * rows, texts)."""
    generator = np.random.default_rng(_SEED)
    minima = np.zeros((_BANDS * _ROWS, sets.shape[0]), dtype=np.uint32)
    nonempty = np.flatnonzero(np.diff(sets.indptr))
    for row in minima:
        numbers = generator.integers(0, 2**32, size=sets.shape[1], dtype=np.uint32)
        row[nonempty] = np.minimum.reduceat(numbers[sets.indices], sets.indptr[nonempty])
    return minima


def _candidates(minima: NDArray[np.uint32], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Each pair of a text and a text of a later part that share a band: shape (pairs, 2)."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in minima.reshape(_BANDS, _ROWS, -1):
        # Four numbers of 32 bits form one key of 128 bits.
        keys = np.ascontiguousarray(band.T).view(np.dtype((np.void, 4 * _ROWS))).ravel()
        _, buckets = np.unique(keys, return_inverse=True)
        start = 0
        for size in sizes[:-1]:
            found += _find_bucket_pairs(buckets, start, start + size)
            start += size
    return np.unique(np.concatenate(found), axis=0)


def _find_bucket_pairs(buckets: NDArray[np.int64], start: int, end: int) -> list[NDArray[np.int64]]:
    """Pairs of a text from ``start`` to ``end`` and a text from ``end`` on in the same bucket."""
    later = end + np.argsort(buckets[end:], kind="stable")
    first = np.searchsorted(buckets[later], buckets[start:end], side="left")
    stop = np.searchsorted(buckets[later], buckets[start:end], side="right")
    found = []
    for step in range(_MAX_PARTNERS):
        rows = np.flatnonzero(first + step < stop)
        found.append(np.stack([start + rows, later[(first + step)[rows]]], axis=1))
    return found
