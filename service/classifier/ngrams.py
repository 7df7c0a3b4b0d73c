"""A linear model over n-grams of words: the part of a classifier beside, or without, a network.

A text has an n-gram or does not have it; how often does not count. Each n-gram has a weight for
each label, and a scale. The logits of a text are the sum of the weights of its n-grams, divided by
the length of the vector of their scales; where all scales are 0, by 1. So TF-IDF, whose texts are
vectors of length 1, is one case: its scales are the inverse document frequencies. No unknown word
is in an n-gram, so a text of unknown words has logits of 0.

A logit is exactly the sum of what each token adds: an n-gram's part belongs equally to the places
where the n-gram is, and there equally to its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.architecture import NGRAM_SCALES, NGRAM_WEIGHTS, NGRAM_WORDS
from valence.service.classifier.vocabulary import UNKNOWN_ID, WordIds
from valence.service.errors import ArtifactError

_Rows = NDArray[np.int64]
_NONE = -1
# Documents are read in groups whose n-grams have about so many weights: memory is bounded.
_GROUP_NUMBERS = 2**22
_REMEDY = "train the model again"


class NGramTable:
    """Finds the n-grams of documents of word ids, and adds up their weights.

    An n-gram is found by the n-gram of its words but the last, and by its last word. Raises
    :class:`ArtifactError` for ``tensors`` in which one lacks, and for other faults of the n-grams.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], *, vocabulary_size: int) -> None:
        words = tensors[NGRAM_WORDS]  # (N, order), ids as numbers, then zeros
        self.vocabulary_size = vocabulary_size
        self._weights = tensors[NGRAM_WEIGHTS]  # (N, K)
        self._scales = tensors[NGRAM_SCALES].astype(np.float64)  # (N,)
        self._is_scaled = _check_scales(self._scales)
        orders = _check_words(words, vocabulary_size)
        ids = words.astype(np.int64)
        single = np.flatnonzero(orders == 1)
        first, single = _sort_keys(ids[single, 0], single)
        self._first = np.full(vocabulary_size, _NONE, dtype=np.int64)
        self._first[first] = single
        self._tables: list[tuple[_Rows, _Rows]] = []  # sorted keys and rows, from two words on
        for order in range(2, words.shape[1] + 1):
            rows = np.flatnonzero(orders == order)
            before = self._first[ids[rows, 0]]
            for table, word in zip(self._tables, ids[rows, 1:-1].T, strict=False):
                before = self._find(table, before, word)
            if (before == _NONE).any():
                raise ArtifactError(
                    f"{NGRAM_WORDS} has {order} words whose first {order - 1} are no n-gram; "
                    f"{_REMEDY}"
                )
            keys = before * vocabulary_size + ids[rows, order - 1]
            self._tables.append(_sort_keys(keys, rows))

    @property
    def labels(self) -> int:
        """The number of labels."""
        return int(self._weights.shape[1])

    def logits(self, documents: Sequence[WordIds]) -> NDArray[np.float32]:
        """Logits ``(documents, labels)``, without a bias.

        Raises ``ValueError`` for ids outside the vocabulary.
        """
        result = np.zeros((len(documents), self.labels), dtype=np.float32)
        for group in self._groups(documents):
            texts, rows, starts = self.list_ngrams(documents[group])
            if not len(rows):
                continue
            sums = np.add.reduceat(self._weights[rows], starts, axis=0)
            if self._is_scaled:
                squares = np.add.reduceat(self._scales[rows] ** 2, starts)
                sums /= np.sqrt(squares).astype(np.float32)[:, np.newaxis]
            result[group.start + texts[starts]] = sums
        return result

    def contributions(self, ids: WordIds, label: int) -> NDArray[np.float64]:
        """What each token of ``ids`` adds to the logit of the label of that index."""
        total = np.zeros(len(ids))
        _, found = self._find_all([ids])
        present, counts = np.unique(np.concatenate([rows for _, rows in found]), return_counts=True)
        length = np.sqrt((self._scales[present] ** 2).sum()) if self._is_scaled else 1.0
        values = self._weights[present, label].astype(np.float64) / counts
        for order, (places, rows) in enumerate(found, start=1):
            parts = values[np.searchsorted(present, rows)] / order / length
            for offset in range(order):
                np.add.at(total, places + offset, parts)
        return total

    def list_ngrams(self, documents: Sequence[WordIds]) -> tuple[_Rows, _Rows, _Rows]:
        """Document and row of each n-gram, once a document; and the first n-gram of each."""
        owners, found = self._find_all(documents)
        count = len(self._scales)
        pairs = np.unique(np.concatenate([owners[at] * count + rows for at, rows in found]))
        texts, rows = np.divmod(pairs, count)
        return texts, rows, np.flatnonzero(np.diff(texts, prepend=_NONE))

    def _find_all(self, documents: Sequence[WordIds]) -> tuple[_Rows, list[tuple[_Rows, _Rows]]]:
        """The document of each token; for each number of words, first tokens and rows."""
        ids = np.concatenate([np.zeros(0, np.int64), *documents])
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.vocabulary_size:
            raise ValueError(
                f"a document holds word ids {ids.min()} to {ids.max()}, the vocabulary has 0 to "
                f"{self.vocabulary_size - 1}"
            )
        lengths = np.array([len(document) for document in documents], dtype=np.int64)
        owners = np.repeat(np.arange(len(documents)), lengths)
        found = [_keep(np.arange(len(ids)), self._first[ids])]
        for offset, table in enumerate(self._tables, start=1):
            places, before = found[-1]
            # an n-gram does not reach into the next document
            inside = owners[np.minimum(places + offset, len(ids) - 1)] == owners[places]
            inside &= places + offset < len(ids)
            places, before = places[inside], before[inside]
            found.append(_keep(places, self._find(table, before, ids[places + offset])))
        return owners, found

    def _find(self, table: tuple[_Rows, _Rows], before: _Rows, last: _Rows) -> _Rows:
        """The rows of the n-grams that continue the rows ``before`` by ``last``; -1 for none."""
        keys, rows = table
        if not len(keys):
            return np.full(len(before), _NONE, dtype=np.int64)
        wanted = before * self.vocabulary_size + last
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, rows[at], _NONE)

    def _groups(self, documents: Sequence[WordIds]) -> Iterator[slice]:
        """Slices of ``documents`` whose weights are gathered at once."""
        limit = _GROUP_NUMBERS // (self.labels * (1 + len(self._tables)))
        first = tokens = 0
        for place, document in enumerate(documents):
            if place > first and tokens + len(document) > limit:
                yield slice(first, place)
                first, tokens = place, 0
            tokens += len(document)
        yield slice(first, len(documents))


def _keep(places: _Rows, rows: _Rows) -> tuple[_Rows, _Rows]:
    """Those of ``places`` where an n-gram was found, and its rows."""
    known = rows != _NONE
    return places[known], rows[known]


def _check_words(words: NDArray[np.float32], vocabulary_size: int) -> _Rows:
    """The number of words of each n-gram of ``words``; raises :class:`ArtifactError`."""
    known = words != UNKNOWN_ID
    orders: _Rows = np.count_nonzero(known, axis=1)
    whole = (words >= 0) & (words < vocabulary_size) & (words == np.floor(words))
    padded = known == (np.arange(words.shape[1]) < orders[:, np.newaxis])
    if not (whole.all() and padded.all() and orders.all()):
        raise ArtifactError(
            f"{NGRAM_WORDS} has rows other than ids of known words, then zeros; {_REMEDY}"
        )
    return orders


def _sort_keys(keys: _Rows, rows: _Rows) -> tuple[_Rows, _Rows]:
    """Both in the order of the keys; raises :class:`ArtifactError` for a repeated key."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if (keys[1:] == keys[:-1]).any():
        raise ArtifactError(f"{NGRAM_WORDS} has an n-gram twice; {_REMEDY}")
    return keys, rows[order]


def _check_scales(scales: NDArray[np.float64]) -> bool:
    """Whether n-grams are scaled; raises :class:`ArtifactError`."""
    if (scales > 0).all():
        return True
    if scales.any():
        raise ArtifactError(f"{NGRAM_SCALES} has numbers of which some are not above 0; {_REMEDY}")
    return False
