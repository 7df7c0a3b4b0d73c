"""The memory that a version takes, told from its shape before it is loaded."""

from __future__ import annotations

import math

from valence.service.classifier.architecture import GATES, Architecture
from valence.service.inference.engines.native import MOST_TABLE_BYTES

_NUMBER_BYTES = 4
# a string, its place in a dictionary, and the neighbours of misspelled words
_WORD_BYTES = 256
# its key, its row and its scale
_NGRAM_BYTES = 24


def estimate_bytes(architecture: Architecture) -> int:
    """The bytes that a model of this shape takes in memory at most.

    These are its parameters, its words, and the table that the native engine folds from the words
    and the input weights, which has a bound. Engines with short numbers take less.
    """
    words = architecture.vocabulary_size
    parameters = sum(math.prod(shape) for shape in architecture.tensor_shapes().values())
    table = _NUMBER_BYTES * words * architecture.width * GATES[architecture.cell]
    ngrams = _NGRAM_BYTES * architecture.ngrams
    numbers = _NUMBER_BYTES * parameters + min(table, MOST_TABLE_BYTES)
    return numbers + _WORD_BYTES * words + ngrams
