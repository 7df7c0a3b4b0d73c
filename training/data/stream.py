"""Training texts that may be larger than memory, read during training.

The training texts are all texts that their hash assigns to train. Each pass over the data shuffles
the ranges of the files (:mod:`valence.training.data.large_files`). :data:`POOL_RANGES` ranges at a
time form a pool, and the texts of a pool are shuffled and batched like a split in memory.

Several processes read and encode a pool together, each its share of the ranges, and exchange the
word ids. They therefore train on exactly the batches of a single process.

A pool depends only on the seed and the number of the pool. Two numbers therefore give the position
of a training, and an interrupted run continues, with any number of processes, without reading the
finished pools again.

Exact copies of a text have the same hash, so they are in the same split. The sample leaves copies
out; the stream learns a text as often as it occurs.
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
from valence.training.data.label_names import show_labels
from valence.training.data.large_files import Source
from valence.training.data.split import assign_split
from valence.training.runtime import distributed, seeds
from valence.training.runtime.progress import Reporter
from valence.training.runtime.seeds import Purpose

POOL_RANGES = 48

Position = tuple[int, int]
"""The number of finished pools, and of finished batches of the next pool."""


class StreamedTexts:
    """The training texts of a source, as an endless stream of batches."""

    def __init__(
        self,
        source: Source,
        vocabulary: Vocabulary,
        configuration: Configuration,
        reporter: Reporter,
    ) -> None:
        self.task = configuration.task
        self._source = source
        self._vocabulary = vocabulary
        self._configuration = configuration
        self._reporter = reporter
        self._position: Position = (0, 0)
        self._batches: Iterator[Batch] | None = None
        self._labels = frozenset(configuration.labels)

    @property
    def position(self) -> Position:
        """The position of the stream."""
        return self._position

    def seek(self, position: Position) -> None:
        """Continue from ``position``."""
        self._position = position

    def count_epochs(self, optimization: Optimization) -> int:
        """The number of evaluations on dev."""
        return math.ceil(_steps(optimization) / optimization.evaluate_every)

    def get_epoch(self, number: int, optimization: Optimization) -> EpochSteps:
        """The steps up to evaluation ``number`` (from 1) on dev."""
        steps = _steps(optimization)
        first = (number - 1) * optimization.evaluate_every
        count = min(optimization.evaluate_every, steps - first)
        if self._batches is None:
            self._batches = self._stream(optimization)
        return EpochSteps(first, count, steps, itertools.islice(self._batches, count))

    def _stream(self, optimization: Optimization) -> Iterator[Batch]:
        """The batches; a thread reads the next pool while the current pool is trained on."""
        first, skipped = self._position
        with ThreadPoolExecutor(1) as reader:
            next_pool = reader.submit(self._read, first, optimization.seed)
            for number in itertools.count(first):
                pool = self._join_pool(number, next_pool.result())
                next_pool = reader.submit(self._read, number + 1, optimization.seed)
                seed = seeds.derive(optimization.seed, Purpose.POOL, number)
                plan = pool.plan(tokens=optimization.batch_tokens, seed=seed) if len(pool) else []
                for done, rows in enumerate(plan):
                    if number == first and done < skipped:
                        continue
                    self._position = (number, done + 1)
                    yield pool.batch(rows, distributed.rank_slice())

    @property
    def _pools(self) -> int:
        """The number of pools of a pass."""
        return math.ceil(len(self._source.ranges) / POOL_RANGES)

    def _read(self, number: int, seed: int) -> list[EncodedTexts]:
        """The training texts of this process's share of the ranges of pool ``number``."""
        passes, index = divmod(number, self._pools)
        random = np.random.default_rng(seeds.derive(seed, Purpose.RANGES, passes))
        order = random.permutation(len(self._source.ranges))
        pool = np.array_split(order, self._pools)[index]
        return [self._encode(self._source.ranges[row]) for row in pool[distributed.rank_slice()]]

    def _encode(self, file_range: Range) -> EncodedTexts:
        examples = [
            example for example in self._source.read(file_range) if assign_split(example) == "train"
        ]
        self._check(examples)
        return encode_examples(examples, self._vocabulary, self._configuration)

    def _join_pool(self, number: int, own_parts: list[EncodedTexts]) -> EncodedTexts:
        """Pool ``number`` (from 0): the texts of all processes, in the order of the ranges."""
        turns = itertools.zip_longest(*distributed.all_gather(own_parts))
        pool = EncodedTexts.joined([part for turn in turns for part in turn if part is not None])
        passes, index = divmod(number, self._pools)
        self._reporter.say(
            f"pass {passes + 1}, pool {index + 1} of {self._pools}: {len(pool):,} training texts "
            f"of {self._source.bytes / 2**20:,.0f} MiB"
        )
        return pool

    def _check(self, examples: Sequence[Example]) -> None:
        unknown = {label for example in examples for label in example.labels} - self._labels
        if unknown:
            raise ConfigurationError(
                f"labels {show_labels(self._configuration.labels)} lack "
                f"{show_labels(sorted(unknown))}, which texts outside the sample have; list every "
                "label in the configuration's `labels`"
            )


def _steps(optimization: Optimization) -> int:
    if optimization.steps is None:
        raise ConfigurationError(
            "streamed data have no epochs: set optimization.steps, the number of batches"
        )
    return optimization.steps
