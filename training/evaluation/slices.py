"""Slices: kinds of held-out texts that are scored separately, because a mean hides weak kinds.

Slices are by corpus, by label, by length in tokens (quartiles of the texts), and by the share of
unknown words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.corpora.example import Example
from valence.training.metrics.definitions import LabelF1, Metric, MicroF1

# upper bounds of the share of unknown words in a slice; the last slice has no bound
_UNKNOWN_BOUNDS = (0.0, 0.05, 0.15)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of N texts, and the metric that scores them.

    ``kind`` is ``corpus``, ``label``, ``length`` or ``unknown words``. ``texts`` (N,) marks the
    texts of the slice. ``scored`` (N,) marks the texts that the metric is computed on. A slice by
    label is scored by the F1 of the label on all texts: a label that is predicted too often causes
    mistakes on texts outside of the slice.
    """

    kind: str
    name: str
    texts: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    metric: Metric

    @property
    def size(self) -> int:
        """The number of texts in the slice."""
        return int(self.texts.sum())


def make_slices(
    examples: Sequence[Example], *, labels: Sequence[str], vocabulary: Vocabulary
) -> list[Slice]:
    """The slices of ``examples`` that hold a text. Words outside ``vocabulary`` are unknown.

    A text with several labels is in the slice of each label. A kind whose only slice would be all
    texts is left out.
    """
    encoded = [vocabulary.encode(example.text) for example in examples]
    lengths = np.array([text.tokens for text in encoded], dtype=np.int64)
    known = np.array([np.count_nonzero(text.known) for text in encoded], dtype=np.int64)
    unknown = (lengths - known) / np.maximum(1, lengths)
    slices: list[Slice] = []
    corpora = np.array([example.corpus for example in examples])
    _add_slices(
        slices, "corpus", {name: corpora == name for name in dict.fromkeys(corpora.tolist())}
    )
    all_texts = np.ones(len(examples), dtype=np.bool_)
    for index, label in enumerate(labels):
        texts = np.array([label in example.labels for example in examples], dtype=np.bool_)
        if texts.any():
            slices.append(Slice("label", label, texts, all_texts, LabelF1(index)))
    _add_slices(slices, "length", _split_lengths(lengths))
    _add_slices(slices, "unknown words", _split_unknown(unknown))
    return slices


def _add_slices(slices: list[Slice], kind: str, masks: dict[str, NDArray[np.bool_]]) -> None:
    filled = {name: texts for name, texts in masks.items() if texts.any()}
    if len(filled) > 1:
        slices += [Slice(kind, name, texts, texts, MicroF1()) for name, texts in filled.items()]


def _split_lengths(lengths: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Quartiles of the texts by length; fewer slices where many texts are equally long."""
    last = np.unique(np.quantile(lengths, (0.25, 0.5, 0.75, 1.0), method="lower"))
    first = np.concatenate(([0], last[:-1] + 1))
    return {
        f"{low} to {high} tokens": (lengths >= low) & (lengths <= high)
        for low, high in zip(first.tolist(), last.tolist(), strict=True)
    }


def _split_unknown(unknown: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    none, few, more = _UNKNOWN_BOUNDS
    return {
        "none": unknown <= none,
        f"to {few:.0%}": (unknown > none) & (unknown <= few),
        f"{few:.0%} to {more:.0%}": (unknown > few) & (unknown <= more),
        f"over {more:.0%}": unknown > more,
    }
