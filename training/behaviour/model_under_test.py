"""A classifier as its tests see it: texts in, labels and polarity out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from valence.training.metrics.predictions import Bools, Floats, predict_labels


class Answer(NamedTuple):
    """What is said of one text: its likeliest label, the value that ``polarity`` gives that label,
    and the mean value of all labels, weighted by their probabilities; both in [-1, 1].
    """

    label: str
    value: float
    polarity: float


@dataclass(frozen=True, slots=True)
class Subject:
    """``probabilities`` (N, K) of N texts in the order of ``labels``.

    ``thresholds`` (K,) are a multi-label classifier's; ``polarity`` is a label's value in [-1, 1],
    where labels are a sentiment.
    """

    labels: Sequence[str]
    probabilities: Callable[[Sequence[str]], Floats]
    thresholds: Sequence[float] | None = None
    polarity: Mapping[str, float] | None = None

    def given(self, texts: Sequence[str]) -> Bools:
        """The labels given to ``texts``: (N, K)."""
        return predict_labels(self.probabilities(texts), self.thresholds)

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """What it says of ``texts``; raises :class:`ValueError` where labels are no sentiment."""
        if self.polarity is None:
            raise ValueError(f"the labels {list(self.labels)} have no polarity")
        values = np.array([self.polarity[label] for label in self.labels])
        rows = self.probabilities(texts)
        return [
            Answer(self.labels[place], float(values[place]), polarity)
            for place, polarity in zip(
                rows.argmax(axis=1).tolist(), (rows @ values).tolist(), strict=True
            )
        ]
