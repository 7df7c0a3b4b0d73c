"""Make changed copies of training texts for a teacher to label.

Jiao et al.: *TinyBERT: Distilling BERT for Natural Language Understanding*, Findings of EMNLP 2020,
replace words of texts by near words (:mod:`.neighbours`), and Tang et al.: *Distilling
Task-Specific Knowledge from BERT into Simple Neural Networks*, 2019, mask some words. Here a masked
word is left out, since the student has no word for a mask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from valence.training.behaviour.lexicon import list_judged_words
from valence.training.config.schema import Distillation
from valence.training.corpora.example import Example
from valence.training.corpora.normal_form import normal_form
from valence.training.data.near_words import Neighbours
from valence.training.data.split import Splits
from valence.training.embeddings import glove, pretrained
from valence.training.runtime.progress import Reporter

# Shares of the words.
_LEFT_OUT = 0.05
_REPLACED = 0.25
# Counterfactuals are short, and made of few words: more of their words are replaced, so that the
# student meets many words in the same place.
_REPLACED_IN_COUNTERFACTUALS = 0.5


def make_augmented_texts(
    settings: Distillation | None,
    splits: Splits,
    counterfactuals: Sequence[Example] = (),
    *,
    cache: Path,
    reporter: Reporter,
) -> tuple[str, ...]:
    """The changed copies that ``settings`` ask for: of the training texts and ``counterfactuals``.

    A copy of a counterfactual gets no word that behavioural tests judge by, so that the tests stay
    tests. Raises :class:`FetchError` if GloVe, which tells the near words, cannot be fetched.
    """
    if settings is None or settings.copies == 0:
        return ()
    vectors = pretrained.load_pretrained(glove.NAME, cache=cache, progress=reporter.say)
    held_out = (*splits.dev, *splits.test)
    made = [
        *augment(
            splits.train,
            Neighbours(_words_of(splits.train), vectors),
            copies=settings.copies,
            seed=settings.seed,
            excluded=held_out,
        )
    ]
    if counterfactuals:
        made += augment(
            counterfactuals,
            Neighbours(_words_of(counterfactuals), vectors, excluded=list_judged_words()),
            copies=settings.copies,
            seed=settings.seed,
            excluded=(*splits.train, *held_out),
            replaced=_REPLACED_IN_COUNTERFACTUALS,
        )
    return tuple(made)


def augment(
    examples: Sequence[Example],
    neighbours: Neighbours,
    *,
    copies: int,
    seed: int,
    excluded: Collection[Example] = (),
    replaced: float = _REPLACED,
) -> Iterator[str]:
    """``copies`` of each text, with words left out and words replaced by their ``neighbours``.

    ``replaced`` is the share of the words that are replaced. Leaves out a copy that is empty or has
    the normal form of another copy, of an example or of an ``excluded`` example. The same seed
    gives the same copies, and a larger number of copies begins with those of a smaller number.
    """
    documents = [example.text.split() for example in examples]
    seen = {example.normal_form for example in (*examples, *excluded)}
    for number in range(copies):
        random = np.random.default_rng((seed, number))
        for document in documents:
            text = " ".join(_augment_words(document, neighbours, random, replaced))
            key = normal_form(text)
            if key and key not in seen:
                seen.add(key)
                yield text


def _words_of(examples: Sequence[Example]) -> Iterator[str]:
    return (word for example in examples for word in example.text.split())


def _augment_words(
    document: Sequence[str],
    neighbours: Neighbours,
    random: np.random.Generator,
    replaced: float,
) -> Iterator[str]:
    fates = random.random(len(document)).tolist()
    draws = random.random(len(document)).tolist()
    for word, draw, fate in zip(document, draws, fates, strict=True):
        if fate < _LEFT_OUT:
            continue
        is_replaced = fate < _LEFT_OUT + replaced
        yield neighbours.replace(word, draw) if is_replaced else word
