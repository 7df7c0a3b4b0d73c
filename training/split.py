"""Which of train, dev and test a text belongs to: a property of the text alone, if not given.

A text is folded (:func:`valence.training.folding.fold`), hashed, and the hash decides. So copies of
a text share its split, and the split of a text never moves when data are added, removed or
reordered. Near-copies, whose hashes differ, are dealt with by :mod:`valence.training.near_copies`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from valence.training.corpora.example import Example
from valence.training.folding import fold
from valence.training.hashing import sha256_of

Split = Literal["train", "dev", "test"]

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_TENTHS: tuple[Split, ...] = ("train",) * 8 + ("dev", "test")
# in the middle of ten, so that a label needs six texts rather than ten for one in dev
_OF_TEN = 5


class Pair(NamedTuple):
    """Two near-copies in two splits, ``first`` in the earlier of train, dev and test."""

    first: Example
    second: Example


@dataclass(frozen=True, slots=True)
class Splits:
    """The examples of each split, each in the order they were given.

    ``near_copies`` are those found across the splits, ``withdrawn`` of them taken out of train.
    """

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    near_copies: tuple[Pair, ...] = ()
    withdrawn: int = 0

    @property
    def names(self) -> tuple[Split, ...]:
        """Those that hold texts."""
        return tuple(name for name in SPLITS if getattr(self, name))

    @property
    def judged(self) -> Split:
        """The split that a classifier's figures are of: dev, where test texts lie elsewhere."""
        return "test" if self.test else "dev"

    def of(self, name: Split) -> tuple[Example, ...]:
        """The examples of one split."""
        examples: tuple[Example, ...] = getattr(self, name)
        return examples


def assign(text: str) -> Split:
    """The split of ``text``: 80 % of texts are in train, 10 % in dev, 10 % in test."""
    return _TENTHS[_number(text) % len(_TENTHS)]


def split(examples: Iterable[Example]) -> Splits:
    """Deal ``examples`` out; see :func:`assign`."""
    parts: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
    for example in examples:
        parts[assign(example.text)].append(example)
    return Splits(train=tuple(parts["train"]), dev=tuple(parts["dev"]), test=tuple(parts["test"]))


def split_stratified(examples: Iterable[Example]) -> Splits:
    """One text of ten is dev, of each label as nearly as can be, and the others are train.

    For data whose test texts lie elsewhere. The texts of a label are in order of their hashes, and
    so which are dev depends on the texts alone, and on neither their order nor a seed.
    """
    given = list(examples)
    order = sorted(range(len(given)), key=lambda at: (given[at].labels, _number(given[at].text)))
    held_out = set(order[_OF_TEN :: len(_TENTHS)])
    return Splits(
        train=tuple(one for place, one in enumerate(given) if place not in held_out),
        dev=tuple(one for place, one in enumerate(given) if place in held_out),
        test=(),
    )


def _number(text: str) -> int:
    """The same for copies of a text, of 64 bits."""
    whole = hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(whole[:8], "big")


def digest(examples: Sequence[Example]) -> str:
    """SHA-256 of the texts and labels, in their order: the data's name in a model's provenance."""
    return sha256_of([example.text, example.label] for example in examples)
