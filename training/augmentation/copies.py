"""Copies of training texts, for a teacher to label: more to learn its ways from.

Jiao et al.: *TinyBERT: Distilling BERT for Natural Language Understanding*, Findings of EMNLP 2020,
replace words of texts by near ones (:mod:`.neighbours`), and Tang et al.: *Distilling
Task-Specific Knowledge from BERT into Simple Neural Networks*, 2019, mask some. Here a masked word
is left out, for the student has no word for a mask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from valence.training.augmentation.neighbours import Neighbours
from valence.training.configuration import Distillation
from valence.training.folding import fold
from valence.training.progress import Reporter
from valence.training.split import Splits
from valence.training.vectors import glove, listed

# of the words
_LEFT_OUT = 0.05
_REPLACED = 0.25


def made(
    settings: Distillation | None, splits: Splits, *, cache: Path, reporter: Reporter
) -> tuple[str, ...]:
    """What ``settings`` make of the training texts.

    Raises :class:`FetchError` where GloVe, which says what is near, cannot be had.
    """
    if settings is None or settings.copies == 0:
        return ()
    texts = [example.text for example in splits.train]
    vectors = listed.read(glove.NAME, cache=cache, progress=reporter.say)
    near = Neighbours((word for text in texts for word in text.split()), vectors)
    return tuple(
        vary(
            texts,
            near,
            copies=settings.copies,
            seed=settings.seed,
            without=[example.text for example in (*splits.dev, *splits.test)],
        )
    )


def vary(
    texts: Sequence[str],
    neighbours: Neighbours,
    *,
    copies: int,
    seed: int,
    without: Collection[str] = (),
) -> Iterator[str]:
    """``copies`` of each text with words left out and replaced by their ``neighbours``.

    None comes that is empty, the same as another, or folds (:func:`valence.training.folding.fold`) to one
    of ``texts`` or ``without``. The same seed gives the same, and more copies begin with those that
    fewer give.
    """
    documents = [text.split() for text in texts]
    seen = {fold(text) for text in texts} | {fold(text) for text in without}
    for copy in range(copies):
        random = np.random.default_rng((seed, copy))
        for document in documents:
            copied = " ".join(_varied(document, neighbours, random))
            key = fold(copied)
            if key and key not in seen:
                seen.add(key)
                yield copied


def _varied(
    document: Sequence[str], neighbours: Neighbours, random: np.random.Generator
) -> Iterator[str]:
    fates = random.random(len(document)).tolist()
    draws = random.random(len(document)).tolist()
    for word, draw, fate in zip(document, draws, fates, strict=True):
        if fate < _LEFT_OUT:
            continue
        replaced = fate < _LEFT_OUT + _REPLACED
        yield neighbours.instead_of(word, draw) if replaced else word
