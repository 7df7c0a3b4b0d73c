"""Assign each text to train, dev or test, by the text alone unless the data say otherwise.

The hash of a text's normal form (:mod:`valence.training.corpora.normal_form`) decides. Copies of a
text therefore share its split, and a text keeps its split when data are added, removed or
reordered. Near-duplicates have different hashes; :mod:`valence.training.data.near_duplicates`
removes them from train. A label without a training text gets one
(:func:`keep_rare_labels`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from valence.training.corpora.example import Example
from valence.training.runtime.hashing import sha256_of

Split = Literal["train", "dev", "test"]

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_TENTHS: tuple[Split, ...] = ("train",) * 8 + ("dev", "test")
# The position of the dev text among ten: in the middle, so that a label needs six texts, not ten,
# for one text in dev.
_DEV_OFFSET = 5


class NearDuplicatePair(NamedTuple):
    """Two near-duplicates in two splits, ``first`` in the earlier of train, dev and test."""

    first: Example
    second: Example


@dataclass(frozen=True, slots=True)
class Splits:
    """The examples of each split, in their original order.

    ``near_duplicates`` are the pairs across two splits; ``withdrawn`` counts the texts that were
    removed from train because of them. ``kept`` are the labels whose only training text would be
    held out by its hash (:func:`keep_rare_labels`).
    """

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    near_duplicates: tuple[NearDuplicatePair, ...] = ()
    withdrawn: int = 0
    kept: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[Split, ...]:
        """The splits that hold texts."""
        return tuple(name for name in SPLITS if getattr(self, name))

    @property
    def judged(self) -> Split:
        """The split that a classifier is evaluated on: test, or dev without test texts."""
        return "test" if self.test else "dev"

    def of(self, name: Split) -> tuple[Example, ...]:
        """The examples of one split."""
        examples: tuple[Example, ...] = getattr(self, name)
        return examples


def assign_split(example: Example) -> Split:
    """The split of ``example``: 80 % of texts are in train, 10 % in dev, 10 % in test."""
    return _TENTHS[_hash_text(example) % len(_TENTHS)]


def split_by_hash(examples: Iterable[Example]) -> Splits:
    """Split ``examples`` by their hashes; see :func:`assign_split`."""
    parts: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
    for example in examples:
        parts[assign_split(example)].append(example)
    return Splits(train=tuple(parts["train"]), dev=tuple(parts["dev"]), test=tuple(parts["test"]))


def split_stratified(examples: Iterable[Example]) -> Splits:
    """One text of ten for dev, of each label as nearly as possible, and the others for train.

    For data whose test texts are elsewhere. The texts of a label are ordered by their hashes, so
    the dev texts depend on the texts alone, not on their order or on a seed.
    """
    given = list(examples)
    order = sorted(
        range(len(given)), key=lambda index: (given[index].labels, _hash_text(given[index]))
    )
    held_out = set(order[_DEV_OFFSET :: len(_TENTHS)])
    return Splits(
        train=tuple(example for index, example in enumerate(given) if index not in held_out),
        dev=tuple(example for index, example in enumerate(given) if index in held_out),
        test=(),
    )


def keep_rare_labels(splits: Splits) -> Splits:
    """Move one held-out text of each label without a training text to train.

    Otherwise the model could not learn the label at all. The first text by its hash moves, of dev
    if dev has the label, because the gate judges on test. ``kept`` names these labels.
    """
    trained = {label for example in splits.train for label in example.labels}
    held_out = (*splits.dev, *splits.test)
    if all(trained.issuperset(example.labels) for example in held_out):
        return splits
    moved: list[Example] = []
    kept: list[str] = []
    for part in (splits.dev, splits.test):
        for example in sorted(part, key=_hash_text):
            missing = [label for label in example.labels if label not in trained]
            if missing:
                moved.append(example)
                kept += missing
                trained.update(missing)
    places = {id(example) for example in moved}
    return replace(
        splits,
        train=(*splits.train, *moved),
        dev=tuple(example for example in splits.dev if id(example) not in places),
        test=tuple(example for example in splits.test if id(example) not in places),
        kept=tuple(kept),
    )


def _hash_text(example: Example) -> int:
    """64 bits; the same for copies of a text."""
    content = example.normal_form.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def hash_examples(examples: Sequence[Example]) -> str:
    """SHA-256 of the texts and labels, in their order; a model's provenance names data by it."""
    return sha256_of([example.text, example.label] for example in examples)
