"""Encode texts as arrays, and cut the arrays into batches of texts of similar length."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from valence.service.classifier.manifest import Task
from valence.service.classifier.vocabulary import Vocabulary, WordIds
from valence.training.config.schema import Configuration, Optimization
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.runtime import distributed

# Documents are shuffled, then sorted by length within pools of this many batches. So the lengths
# in a batch are similar, and the documents of a batch differ from epoch to epoch.
_POOL_BATCHES = 50


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded documents and their targets.

    They may be the share of one process in a common batch of several processes.
    """

    ids: Tensor  # (B, T) int64, 0 where padded
    lengths: Tensor  # (B,)
    targets: Tensor  # (B, K) probabilities; independent of each other for a multi-label task
    whole: tuple[int, int]  # (B, T) of the common batch of all processes


@dataclass(frozen=True, slots=True)
class EpochSteps:
    """The steps of an epoch; for streamed texts, the steps between two evaluations on dev.

    ``batches`` are this process's shares of the common batches.
    """

    first: int  # step, from 0
    steps: int
    total: int  # steps of the whole training
    batches: Iterable[Batch]


class TrainingTexts(Protocol):
    """Training texts as batches: in memory (:class:`EncodedTexts`) or streamed."""

    task: Task

    @property
    def position(self) -> tuple[int, int]:
        """The position of a stream; meaningless where all texts are in memory."""
        ...

    def seek(self, position: tuple[int, int]) -> None:
        """Continue from ``position``; the number of processes may have changed."""
        ...

    def count_epochs(self, optimization: Optimization) -> int:
        """The number of epochs."""
        ...

    def get_epoch(self, number: int, optimization: Optimization) -> EpochSteps:
        """Epoch ``number``, from 1; call it with consecutive numbers."""
        ...


class EncodedTexts:
    """The texts of a split as word ids, end to end, so that a batch is cut out without a loop.

    ``lengths`` ``(N,)`` are in tokens; ``truth`` are the label indices.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        vocabulary: Vocabulary,
        *,
        labels: Sequence[str],
        max_tokens: int,
        use_shares: bool,
        task: Task = "single_label",
    ) -> None:
        documents = [
            vocabulary.encode(example.text, max_tokens=max_tokens).ids for example in examples
        ]
        self.labels = tuple(labels)
        self.lengths = np.array([len(document) for document in documents], dtype=np.int64)
        self._ids = np.concatenate([*documents, np.zeros(1, dtype=np.int32)])
        self._starts = np.cumsum(self.lengths) - self.lengths
        self.task = task
        self.truth = targets.label_indices(examples, labels=labels, task=task)
        self._targets = targets.soft_targets(
            examples, labels=labels, task=task, use_shares=use_shares
        )

    @classmethod
    def joined(cls, parts: Sequence[EncodedTexts]) -> EncodedTexts:
        """The texts of one or more ``parts``, one part after the other."""
        whole = copy.copy(parts[0])
        whole.lengths = np.concatenate([part.lengths for part in parts])
        whole._ids = np.concatenate([*(part._ids[:-1] for part in parts), parts[0]._ids[-1:]])
        whole._starts = np.cumsum(whole.lengths) - whole.lengths
        whole.truth = np.concatenate([part.truth for part in parts])
        whole._targets = np.concatenate([part._targets for part in parts])
        return whole

    def take(self, rows: NDArray[np.int64]) -> EncodedTexts:
        """The texts of ``rows``."""
        documents = self.documents()
        part = copy.copy(self)
        part.lengths = self.lengths[rows]
        part._ids = np.concatenate([*(documents[row] for row in rows.tolist()), self._ids[-1:]])
        part._starts = np.cumsum(part.lengths) - part.lengths
        part.truth, part._targets = self.truth[rows], self._targets[rows]
        return part

    def weighted(self, weights: NDArray[np.float32] | None) -> EncodedTexts:
        """The texts with ``weights`` ``(K,)`` of the labels in the loss; None changes nothing.

        A text counts as much as its weight says, because the loss is linear in the targets.
        """
        if weights is None:
            return self
        changed = copy.copy(self)
        changed._targets = self._targets * (self._targets @ weights)[:, np.newaxis]
        return changed

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def targets(self) -> NDArray[np.float32]:
        """The soft targets ``(N, K)``."""
        return self._targets

    def documents(self) -> list[WordIds]:
        """The word ids of each text."""
        return np.split(self._ids[:-1], self._starts[1:])

    @property
    def tokens(self) -> int:
        """The number of tokens of all texts."""
        return int(self.lengths.sum())

    def count_words(self, words: int) -> NDArray[np.int64]:
        """How often the texts have each word of a vocabulary of so many ``words``."""
        return np.bincount(self._ids[:-1], minlength=words)

    @property
    def position(self) -> tuple[int, int]:
        """Always (0, 0): epochs in memory need no position."""
        return (0, 0)

    def seek(self, position: tuple[int, int]) -> None:
        """Does nothing: epochs in memory need no position."""

    def count_epochs(self, optimization: Optimization) -> int:
        """The number of epochs."""
        return optimization.epochs

    def get_epoch(self, number: int, optimization: Optimization) -> EpochSteps:
        """Epoch ``number``; the processes share the texts of each batch, in equal lengths."""
        seed = optimization.seed * 10_007 + number
        plan = self.plan(tokens=optimization.batch_tokens, seed=seed)
        return EpochSteps(
            first=(number - 1) * len(plan),
            steps=len(plan),
            total=len(plan) * optimization.epochs,
            batches=(self.batch(rows, distributed.rank_slice()) for rows in plan),
        )

    def plan(self, *, tokens: int, seed: int | None = None) -> list[NDArray[np.int64]]:
        """The rows of each batch: all documents once, about ``tokens`` per batch with padding.

        ``seed`` decides the order of the batches; without it, the longest documents come first.
        """
        return plan_batches(self.lengths, tokens=tokens, seed=seed)

    def batch(self, rows: NDArray[np.int64], part: slice = slice(None)) -> Batch:
        """The documents of ``part`` of ``rows``, padded; ``part`` may be empty."""
        whole = (len(rows), int(self.lengths[rows].max(initial=1)))
        rows = rows[part]
        lengths = self.lengths[rows]
        return Batch(
            ids=pad_documents(self._ids, self._starts[rows], lengths),
            lengths=torch.from_numpy(lengths),
            targets=torch.from_numpy(self._targets[rows]),
            whole=whole,
        )


def pad_documents(
    ids: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Tensor:
    """Cut documents out of ``ids``: ``(B, T)`` int64.

    The documents lie end to end in ``ids``; the last id is the padding.
    """
    steps = np.arange(lengths.max(initial=1))
    inside = steps < lengths[:, None]  # (B, T)
    positions = np.where(inside, starts[:, None] + steps, len(ids) - 1)
    return torch.from_numpy(ids[positions].astype(np.int64))


def plan_batches(
    lengths: NDArray[np.int64], *, tokens: int, seed: int | None = None
) -> list[NDArray[np.int64]]:
    """The rows of each batch of documents of ``lengths``; see :meth:`EncodedTexts.plan`."""
    if seed is None:
        return list(_cut(lengths, np.argsort(-lengths, kind="stable"), tokens))
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths))
    pool = max(1, int(_POOL_BATCHES * tokens / max(1.0, float(lengths.mean()))))
    batches = [
        rows
        for part in np.split(order, range(pool, len(order), pool))
        for rows in _cut(lengths, part[np.argsort(-lengths[part], kind="stable")], tokens)
    ]
    random.shuffle(batches)
    return batches


def _cut(
    lengths: NDArray[np.int64], rows: NDArray[np.int64], tokens: int
) -> Iterator[NDArray[np.int64]]:
    """Slices of ``rows``, which are sorted longest first, each within the budget."""
    start = 0
    while start < len(rows):
        longest = max(1, int(lengths[rows[start]]))
        end = start + max(1, tokens // longest)
        yield rows[start:end]
        start = end


def encode_examples(
    examples: Sequence[Example],
    words: Vocabulary,
    configuration: Configuration,
    *,
    use_shares: bool | None = None,
) -> EncodedTexts:
    """``examples`` as word ids and targets.

    ``use_shares`` overrides the targets of ``configuration``.
    """
    return EncodedTexts(
        examples,
        words,
        labels=configuration.labels,
        max_tokens=configuration.text.max_tokens,
        use_shares=configuration.data.targets == "shares" if use_shares is None else use_shares,
        task=configuration.task,
    )


def encode_texts(
    texts: Sequence[str], words: Vocabulary, configuration: Configuration
) -> EncodedTexts:
    """Texts without labels as word ids; their targets are meaningless."""
    label = configuration.labels[0] if configuration.task == "single_label" else ()
    examples = [Example(text, label, corpus="") for text in texts]
    return encode_examples(examples, words, configuration, use_shares=False)
