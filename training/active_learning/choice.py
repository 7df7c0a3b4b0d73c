"""The choice of texts to label, from numbers alone.

A text is worth a label if the model is unsure of it, or if texts of its kind are new. Texts that
are alike are not worth a label each, so the choice goes on with the text of the highest product of
its worth and its distance to the nearest chosen one. Uncertainty is the margin between the two
likeliest labels (T. Scheffer, C. Decomain, S. Wrobel, *Active Hidden Markov Models for Information
Extraction*, IDA 2001); the distance among the most worthy texts is that of greedy k-centre (O.
Sener, S. Savarese, *Active Learning for Convolutional Neural Networks: A Core-Set Approach*, ICLR
2018).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from valence.service.monitoring.worth import Floats

Vectors: TypeAlias = NDArray[np.float32] | sparse.csr_matrix
"""Texts as rows of length 1, or 0 for a text of which nothing is known."""
Reason = Literal["uncertain", "drifting"]

CANDIDATES = 4
"""The most worthy texts, so many for each one that is chosen, are looked at for their distance."""


class Worth(NamedTuple):
    """What speaks for a label of each text: two numbers from 0 to 1, each ``(texts,)``."""

    uncertainty: Floats
    drift: Floats

    @property
    def total(self) -> Floats:
        """The worth ``(texts,)``: drift counts as much as uncertainty."""
        return np.maximum(self.uncertainty, self.drift)

    def explain(self, index: int) -> Reason:
        """Which of both speaks more for the text ``index``."""
        return "drifting" if self.drift[index] > self.uncertainty[index] else "uncertain"


def select_candidates(worth: Worth, count: int) -> NDArray[np.int64]:
    """The indices of the most worthy texts, whose vectors :func:`choose_texts` needs."""
    order = np.argsort(-worth.total, kind="stable")
    return order[: CANDIDATES * count]


def choose_texts(worth: Floats, vectors: Vectors, count: int) -> list[int]:
    """The rows of ``vectors`` to label, the first one first: at most ``count``."""
    distances = np.full(len(worth), 2.0)
    left = np.ones(len(worth), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(worth))):
        index = int(np.where(left, worth * distances, -1.0).argmax())
        chosen.append(index)
        left[index] = False
        # of vectors of length 1, the square of the distance
        np.minimum(distances, 2.0 - 2.0 * _multiply(vectors, index), out=distances)
    return chosen


def _multiply(vectors: Vectors, index: int) -> Floats:
    """The product of each row with the row ``index`` ``(texts,)``."""
    product: Any = vectors @ vectors[index].T
    if sparse.issparse(product):
        product = product.toarray()
    return np.asarray(product, dtype=np.float64).ravel()
