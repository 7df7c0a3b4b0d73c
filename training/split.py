"""Which of train, dev and test a text belongs to: a property of the text alone.

A text is folded (:func:`training.folding.fold`), hashed, and the hash decides. So copies of
a text share its split, and the split of a text never moves when data are added, removed or
reordered. Near-copies, whose hashes differ, are dealt with by :mod:`training.near_copies`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from training.corpora.example import Example
from training.folding import fold

Split = Literal["train", "dev", "test"]

_TENTHS: tuple[Split, ...] = ("train",) * 8 + ("dev", "test")


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


def assign(text: str) -> Split:
    """The split of ``text``: 80 % of texts are in train, 10 % in dev, 10 % in test."""
    digest = hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).digest()
    return _TENTHS[int.from_bytes(digest[:8], "big") % len(_TENTHS)]


def split(examples: Iterable[Example]) -> Splits:
    """Deal ``examples`` out; see :func:`assign`."""
    parts: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
    for example in examples:
        parts[assign(example.text)].append(example)
    return Splits(train=tuple(parts["train"]), dev=tuple(parts["dev"]), test=tuple(parts["test"]))


def digest(examples: Sequence[Example]) -> str:
    """SHA-256 of the texts and labels, in their order: the data's name in a model's provenance."""
    whole = hashlib.sha256()
    for example in examples:
        whole.update(json.dumps([example.text, example.label]).encode("ascii") + b"\n")
    return whole.hexdigest()
