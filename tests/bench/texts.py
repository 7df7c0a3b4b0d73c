"""What is classified: real sentences, and reviews made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from valence.service.classifier.vocabulary import WordIds

CACHE = Path(".valence/corpora")
_REVIEW_WORDS = 300


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Sentences of the ``vader`` corpus (film and product reviews, news, tweets) by chance.

    As many as there are if that is less; fetched as for training where they are not yet.
    """
    from valence.training.corpora import catalog

    texts = [example.text for example in catalog.load_corpora(["vader"], cache=CACHE).examples]
    chosen = np.random.default_rng(seed).permutation(len(texts))[:count]
    return [texts[index] for index in chosen]


def reviews(count: int, *, seed: int = 0) -> list[str]:
    """Texts of 300 words each: sentences end to end, cut."""
    words = " ".join(sentences(20_000, seed=seed)).split()
    return [
        " ".join(words[start : start + _REVIEW_WORDS])
        for start in range(0, count * _REVIEW_WORDS, _REVIEW_WORDS)
    ]


def labelled() -> tuple[list[str], list[str]]:
    """The whole corpus with its labels, for the models that are fitted on the spot."""
    from valence.training.corpora import catalog

    examples = catalog.load_corpora(["vader"], cache=CACHE).examples
    return [example.text for example in examples], [example.label for example in examples]


def documents(lengths: list[int], *, vocabulary: int, seed: int = 0) -> list[WordIds]:
    """Word ids of the given lengths, drawn as words are: the k-th most frequent with 1/k."""
    random = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, vocabulary + 1)
    cumulative = np.cumsum(weights / weights.sum())
    return [
        np.minimum(np.searchsorted(cumulative, random.random(n)), vocabulary - 1).astype(np.int32)
        for n in lengths
    ]


def batches(items: list[WordIds], size: int) -> Iterator[list[WordIds]]:
    """Slices of ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
