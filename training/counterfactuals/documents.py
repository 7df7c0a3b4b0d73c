"""Documents: several training texts one after the other, most of them of one side.

A film review of three hundred words praises the actors and regrets the end. A network that has only
read sentences takes each of them for the whole. Labels of documents are known from their sentences,
as in multiple-instance learning (Kotzias et al.: *From Group to Individual Labels using Deep
Features*, KDD 2015), here the other way round.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from valence.training.counterfactuals.sides import Counterfactual, Shares

_SIDES = (0, 1, 2)
_NEUTRAL = 1
_CHANCES = (0.45, 0.1, 0.45)  # a document's side
_OWN, _OPPOSITE = 0.6, 0.12  # shares of the sentences of a document with a feeling
_IN_NEUTRAL = (0.06, 0.88, 0.06)
_MIN_SENTENCES, _MAX_SENTENCES = 2, 13
_MIN_WORDS = 4  # of a sentence
# the evidence of a sentence: one without feeling says little about a document that has others
_FEELING, _PLAIN, _PRIOR = 2.0, 0.35, 1.0


def make_documents(
    texts: Sequence[tuple[str, Shares, str]], count: int, chance: random.Random
) -> Iterator[Counterfactual]:
    """``count`` documents of ``texts``, each of a text, its shares and its corpus.

    A document has texts of one corpus. A corpus without texts of a feeling gives none.
    """
    groups = _group_texts(texts)
    if not groups:
        return
    sizes = [sum(map(len, sides)) for sides in groups]
    for sides in chance.choices(groups, sizes, k=count):
        yield _make_document(sides, chance)


def _group_texts(
    texts: Sequence[tuple[str, Shares, str]],
) -> list[list[list[tuple[str, Shares]]]]:
    """The texts of each corpus by their side."""
    found: dict[str, list[list[tuple[str, Shares]]]] = defaultdict(lambda: [[] for _ in _SIDES])
    for text, shares, corpus in texts:
        if len(text.split()) >= _MIN_WORDS:
            found[corpus][int(np.argmax(shares))].append((text.strip(), shares))
    return [sides for sides in found.values() if sides[0] and sides[2]]


def _make_document(
    sides: Sequence[Sequence[tuple[str, Shares]]], chance: random.Random
) -> Counterfactual:
    (side,) = chance.choices(_SIDES, _mask(_CHANCES, sides))
    odds = list(_IN_NEUTRAL)
    if side != _NEUTRAL:
        odds = [_OPPOSITE, 1.0 - _OWN - _OPPOSITE, _OPPOSITE]
        odds[side] = _OWN
    odds = _mask(odds, sides)
    length = chance.randint(_MIN_SENTENCES, _MAX_SENTENCES)
    chosen = [chance.choice(sides[each]) for each in chance.choices(_SIDES, odds, k=length)]
    negative, neutral, positive = np.sum([shares for _, shares in chosen], axis=0)
    logits = np.array([_FEELING * negative, _PRIOR + _PLAIN * neutral, _FEELING * positive])
    weights = np.exp(logits - logits.max())
    negative, neutral, positive = (weights / weights.sum()).tolist()
    return Counterfactual(" ".join(text for text, _ in chosen), (negative, neutral, positive))


def _mask(odds: Sequence[float], sides: Sequence[Sequence[object]]) -> list[float]:
    """``odds`` of the sides that have texts; labels without a neutral one have two sides."""
    return [odd if texts else 0.0 for odd, texts in zip(odds, sides, strict=True)]
