"""Training texts that need not fit into memory, read while they are trained on.

They are all those that the hash of the text puts into train. Each pass over the data shuffles the
ranges that the files are cut into (:mod:`valence.training.data.large_files`). They are taken :data:`POOL_RANGES` at
a time, and the texts of such a pool are shuffled and batched as a whole split would be.

Several processes read and encode a pool together, each its share of the ranges, and give each other
what they read, as word ids; so they train on the very batches that one would.

A pool follows from the seed and its number alone. So where training stands is two numbers, and a
run that was interrupted continues, by as many processes or others, without reading what was read.

Exact copies of a text have one hash, so none is in two splits. Copies are left out of the sample;
in the stream a text is learnt as often as it is there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration, Optimization
from valence.training.corpora.example import Example
from valence.training.corpora.ranges import Range
from valence.training.data.batches import Batch, EncodedTexts, EpochSteps, encode_examples
from valence.training.data.large_files import Source
from valence.training.data.split import assign_split
from valence.training.runtime import distributed, seeds
from valence.training.runtime.progress import Reporter
from valence.training.runtime.seeds import Purpose

POOL_RANGES = 48

Position = tuple[int, int]
"""Pools that are done, and batches of the next one that are done."""


class StreamedTexts:
    """The training texts of a source, as batches without end."""

    def __init__(
        self, source: Source, words: Vocabulary, configuration: Configuration, reporter: Reporter
    ) -> None:
        self.task = configuration.task
        self._source = source
        self._words = words
        self._configuration = configuration
        self._reporter = reporter
        self._position: Position = (0, 0)
        self._batches: Iterator[Batch] | None = None
        self._labels = frozenset(configuration.labels)

    @property
    def position(self) -> Position:
        """Where the stream stands."""
        return self._position

    def seek(self, position: Position) -> None:
        """Continue from ``position``."""
        self._position = position

    def count_epochs(self, optimization: Optimization) -> int:
        """How often the dev texts are scored."""
        return math.ceil(_steps(optimization) / optimization.evaluate_every)

    def get_epoch(self, number: int, optimization: Optimization) -> EpochSteps:
        """The steps up to the ``number``-th time (from 1) that the dev texts are scored."""
        steps = _steps(optimization)
        first = (number - 1) * optimization.evaluate_every
        count = min(optimization.evaluate_every, steps - first)
        if self._batches is None:
            self._batches = self._stream(optimization)
        return EpochSteps(first, count, steps, itertools.islice(self._batches, count))

    def _stream(self, optimization: Optimization) -> Iterator[Batch]:
        """A pool is read by a thread while the one before it is trained on."""
        first, skipped = self._position
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(self._read, first, optimization.seed)
            for number in itertools.count(first):
                pool = self._pool(number, waiting.result())
                waiting = reader.submit(self._read, number + 1, optimization.seed)
                seed = seeds.derive(optimization.seed, Purpose.POOL, number)
                plan = pool.plan(tokens=optimization.batch_tokens, seed=seed) if len(pool) else []
                for done, rows in enumerate(plan):
                    if number == first and done < skipped:
                        continue
                    self._position = (number, done + 1)
                    yield pool.batch(rows, distributed.rank_slice())

    @property
    def _pools(self) -> int:
        """How many a pass has."""
        return math.ceil(len(self._source.ranges) / POOL_RANGES)

    def _read(self, number: int, seed: int) -> list[EncodedTexts]:
        """The training texts of this process's share of the ranges of the ``number``-th pool."""
        passed, place = divmod(number, self._pools)
        random = np.random.default_rng(seeds.derive(seed, Purpose.RANGES, passed))
        order = random.permutation(len(self._source.ranges))
        pool = np.array_split(order, self._pools)[place]
        return [
            self._encoded(self._source.ranges[index]) for index in pool[distributed.rank_slice()]
        ]

    def _encoded(self, part: Range) -> EncodedTexts:
        examples = [
            example for example in self._source.read(part) if assign_split(example) == "train"
        ]
        self._check(examples)
        return encode_examples(examples, self._words, self._configuration)

    def _pool(self, number: int, read: list[EncodedTexts]) -> EncodedTexts:
        """The ``number``-th, from 0: what all processes have read, in the order of its ranges."""
        dealt = itertools.zip_longest(*distributed.all_gather(read))
        pool = EncodedTexts.joined([part for turn in dealt for part in turn if part is not None])
        passed, place = divmod(number, self._pools)
        self._reporter.say(
            f"pass {passed + 1}, pool {place + 1} of {self._pools}: {len(pool):,} training texts "
            f"of {self._source.bytes / 2**20:,.0f} MiB"
        )
        return pool

    def _check(self, examples: Sequence[Example]) -> None:
        unknown = {label for example in examples for label in example.labels} - self._labels
        if unknown:
            raise ConfigurationError(
                f"labels {sorted(self._labels)} lack {sorted(unknown)[:20]}, which texts outside "
                "the sample have; list every label in the configuration's `labels`"
            )


def _steps(optimization: Optimization) -> int:
    if optimization.steps is None:
        raise ConfigurationError(
            "streamed data have no epochs: say optimization.steps, how many batches to train on"
        )
    return optimization.steps
