"""Texts to classify: real sentences, and reviews composed of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from valence.service.classifier.vocabulary import WordIds

CACHE = Path(".valence/corpora")
_REVIEW_WORDS = 300


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Return random sentences of the ``vader`` corpus (film and product reviews, news, tweets).

    At most all sentences of the corpus; the corpus is fetched as for training if it is missing.
    """
    from valence.training.corpora import catalog

    texts = [example.text for example in catalog.load_corpora(["vader"], cache=CACHE).examples]
    chosen = np.random.default_rng(seed).permutation(len(texts))[:count]
    return [texts[index] for index in chosen]


def reviews(count: int, *, seed: int = 0) -> list[str]:
    """Return texts of exactly 300 words: concatenated sentences, truncated."""
    words = " ".join(sentences(20_000, seed=seed)).split()
    return [
        " ".join(words[start : start + _REVIEW_WORDS])
        for start in range(0, count * _REVIEW_WORDS, _REVIEW_WORDS)
    ]


def labelled() -> tuple[list[str], list[str]]:
    """Return the whole corpus with its labels, for the models that are fitted in the benchmark."""
    from valence.training.corpora import catalog

    examples = catalog.load_corpora(["vader"], cache=CACHE).examples
    return [example.text for example in examples], [example.label for example in examples]


def documents(lengths: list[int], *, vocabulary: int, seed: int = 0) -> list[WordIds]:
    """Return word ids of the given lengths, drawn like words: the k-th most frequent with 1/k."""
    random = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, vocabulary + 1)
    cumulative = np.cumsum(weights / weights.sum())
    return [
        np.minimum(np.searchsorted(cumulative, random.random(n)), vocabulary - 1).astype(np.int32)
        for n in lengths
    ]


def batches(items: list[WordIds], size: int) -> Iterator[list[WordIds]]:
    """Yield slices of ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
