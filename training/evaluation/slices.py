"""Kinds of held-out texts on which a classifier is judged apart: a mean hides who pays for it.

By corpus, by label, by length in tokens (quarters of the texts), by the share of words that a
vocabulary lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.corpora.example import Example
from valence.training.metrics.definitions import LabelF1, Metric, MicroF1

# shares of unknown words: none, few, more, many
_UNKNOWN = (0.0, 0.05, 0.15)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some texts, and the figure they are judged by.

    ``kind`` is ``corpus``, ``label``, ``length`` or ``unknown words``; ``texts`` (N,) says which
    texts are of the slice. Those of a label are judged by its F1, for which ``judged`` (N,), the
    texts that the figure is computed on, are all: who gives a label too often is wrong elsewhere.
    """

    kind: str
    name: str
    texts: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    figure: Metric

    @property
    def size(self) -> int:
        """How many texts are of the slice."""
        return int(self.texts.sum())


def slices(
    examples: Sequence[Example], *, labels: Sequence[str], vocabulary: Vocabulary
) -> list[Slice]:
    """The slices of ``examples`` that hold a text; words are unknown if ``vocabulary`` lacks them.

    A text of several labels is in the slice of each. A kind with one slice only, which would be all
    texts, has none.
    """
    encoded = [vocabulary.encode(example.text) for example in examples]
    lengths = np.array([text.tokens for text in encoded], dtype=np.int64)
    known = np.array([np.count_nonzero(text.known) for text in encoded], dtype=np.int64)
    unknown = (lengths - known) / np.maximum(1, lengths)
    found: list[Slice] = []
    corpora = np.array([example.corpus for example in examples])
    _add(found, "corpus", {name: corpora == name for name in dict.fromkeys(corpora.tolist())})
    every = np.ones(len(examples), dtype=np.bool_)
    for place, label in enumerate(labels):
        texts = np.array([label in example.labels for example in examples], dtype=np.bool_)
        if texts.any():
            found.append(Slice("label", label, texts, every, LabelF1(place)))
    _add(found, "length", _ranges(lengths))
    _add(found, "unknown words", _shares(unknown))
    return found


def _add(found: list[Slice], kind: str, named: dict[str, NDArray[np.bool_]]) -> None:
    held = {name: texts for name, texts in named.items() if texts.any()}
    if len(held) > 1:
        found += [Slice(kind, name, texts, texts, MicroF1()) for name, texts in held.items()]


def _ranges(lengths: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Quarters of the texts by length, fewer where many are equally long."""
    last = np.unique(np.quantile(lengths, (0.25, 0.5, 0.75, 1.0), method="lower"))
    first = np.concatenate(([0], last[:-1] + 1))
    return {
        f"{low} to {high} tokens": (lengths >= low) & (lengths <= high)
        for low, high in zip(first.tolist(), last.tolist(), strict=True)
    }


def _shares(unknown: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    none, few, more = _UNKNOWN
    return {
        "none": unknown <= none,
        f"to {few:.0%}": (unknown > none) & (unknown <= few),
        f"{few:.0%} to {more:.0%}": (unknown > few) & (unknown <= more),
        f"over {more:.0%}": unknown > more,
    }
