"""Texts as sequences of word ids, each read by itself as the classifier will read a text."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from service.classifier.vocabulary import Vocabulary
from training import batches
from training.batches import Batch


class Sequences:
    """All words of ``texts``; a text of more than ``longest`` is cut into equal parts.

    Nothing is carried over from a part to the next: what follows is truncated back-propagation
    without its state, and any batch can be made of any sequences.
    """

    def __init__(self, texts: Iterable[str], words: Vocabulary, *, longest: int) -> None:
        documents = [words.encode(text).ids for text in texts]
        parts = [
            part
            for document in documents
            if len(document) > 1  # of one word no other can be told
            for part in np.array_split(document, math.ceil(len(document) / longest))
        ]
        self.lengths = np.array([len(part) for part in parts], dtype=np.int64)
        self._ids = np.concatenate([*parts, np.zeros(1, dtype=np.int32)])
        self._starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Words of all of them together."""
        return int(self.lengths.sum())

    def counts(self, words: int) -> NDArray[np.int64]:
        """How often each of so many words is there, by id."""
        return np.bincount(self._ids[:-1], minlength=words)

    def predicted(self, rows: NDArray[np.int64]) -> int:
        """How many words of the sequences of ``rows`` have another before them."""
        return int(self.lengths[rows].sum()) - len(rows)

    def batch(self, rows: NDArray[np.int64], part: slice = slice(None)) -> Batch:
        """The sequences of ``part`` of ``rows``, padded, without targets; there may be none."""
        whole = (len(rows), int(self.lengths[rows].max(initial=1)))
        rows = rows[part]
        lengths = self.lengths[rows]
        return Batch(
            ids=batches.padded(self._ids, self._starts[rows], lengths),
            lengths=torch.from_numpy(lengths),
            targets=torch.zeros(len(rows), 0),
            whole=whole,
        )
