"""Training texts that need not fit into memory, read while they are trained on.

They are all those that the hash of the text puts into train. Each pass over the data shuffles the
ranges that the files are cut into (:mod:`training.sampling`) and deals them to the processes;
ranges are read :data:`POOL_RANGES` at a time, and the texts of such a pool are shuffled and batched
as a whole split would be.

A pool follows from the seed and its number alone. So where training stands is two numbers a
process, and a run that was interrupted continues without reading what it has read.

Exact copies of a text have one hash, so none is in two splits. Copies are left out of the sample;
in the stream a text is learnt as often as it is there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training import ranks
from training.batches import Batch, EncodedTexts, Round
from training.configuration import Configuration, Optimization
from training.corpora import Example
from training.progress import Reporter
from training.sampling import Source
from training.split import assign

POOL_RANGES = 48

Position = tuple[int, int]
"""Pools that are done, and batches of the next one that are."""


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
        """Where this process stands in its stream."""
        return self._position

    def go_to(self, positions: Sequence[Position]) -> None:
        """Continue from the ``positions`` of all processes.

        If there are now more or fewer of them, from where they were together, to a pool.
        """
        if len(positions) == ranks.count():
            self._position = positions[ranks.number()]
        elif positions:
            self._position = (sum(pool for pool, _ in positions) // ranks.count(), 0)

    def rounds(self, optimization: Optimization) -> int:
        """How often the dev texts are scored."""
        return math.ceil(_steps(optimization) / optimization.evaluate_every)

    def round(self, number: int, optimization: Optimization) -> Round:
        """The steps up to the ``number``-th time (from 1) that the dev texts are scored."""
        steps = _steps(optimization)
        first = (number - 1) * optimization.evaluate_every
        count = min(optimization.evaluate_every, steps - first)
        if self._batches is None:
            self._batches = self._stream(optimization)
        return Round(first, count, steps, itertools.islice(self._batches, count))

    def _stream(self, optimization: Optimization) -> Iterator[Batch]:
        """A pool is read by a thread while the one before it is trained on."""
        first, skipped = self._position
        tokens = max(1, optimization.batch_tokens // ranks.count())
        with ThreadPoolExecutor(1) as reader:
            waiting: Future[EncodedTexts] = reader.submit(self._pool, first, optimization.seed)
            for number in itertools.count(first):
                pool = waiting.result()
                waiting = reader.submit(self._pool, number + 1, optimization.seed)
                seed = _seed(optimization.seed, 1 + ranks.number(), number)
                plan = pool.plan(tokens=tokens, seed=seed) if len(pool) else []
                for done, rows in enumerate(plan):
                    if number == first and done < skipped:
                        continue
                    self._position = (number, done + 1)
                    yield pool.batch(rows)

    def _pool(self, number: int, seed: int) -> EncodedTexts:
        """The training texts of the ``number``-th ranges of this process, from 0."""
        mine = len(range(ranks.number(), len(self._source.ranges), ranks.count()))
        pools = max(1, math.ceil(mine / POOL_RANGES))
        passed, place = divmod(number, pools)
        order = np.random.default_rng(_seed(seed, 0, passed)).permutation(len(self._source.ranges))
        dealt = order[ranks.number() :: ranks.count()]
        parts = [self._source.ranges[index] for index in np.array_split(dealt, pools)[place]]
        size = sum(part.end - part.start for part in parts)
        examples = [
            example
            for part in parts
            for example in self._source.read(part)
            if assign(example.text) == "train"
        ]
        self._check(examples)
        self._reporter.say(
            f"pass {passed + 1}, pool {place + 1} of {pools}: {len(examples):,} training texts in "
            f"{size / 2**20:,.1f} of {self._source.bytes / 2**20:,.0f} MiB"
        )
        return encode(examples, self._words, self._configuration)

    def _check(self, examples: Sequence[Example]) -> None:
        unknown = {label for example in examples for label in example.labels} - self._labels
        if unknown:
            raise ConfigurationError(
                f"labels {sorted(self._labels)} lack {sorted(unknown)[:20]}, which texts outside "
                "the sample have; list every label in the configuration's `labels`"
            )


def encode(
    examples: Sequence[Example],
    words: Vocabulary,
    configuration: Configuration,
    *,
    use_shares: bool | None = None,
) -> EncodedTexts:
    """``examples`` as word ids and targets, as ``configuration`` says; the targets, if not None."""
    return EncodedTexts(
        examples,
        words,
        labels=configuration.labels,
        max_tokens=configuration.text.max_tokens,
        use_shares=configuration.data.targets == "shares" if use_shares is None else use_shares,
        task=configuration.task,
    )


def _steps(optimization: Optimization) -> int:
    if optimization.steps is None:
        raise ConfigurationError(
            "streamed data have no epochs: say optimization.steps, how many batches to train on"
        )
    return optimization.steps


def _seed(seed: int, stream: int, number: int) -> int:
    """A seed that no other stream has, nor another pool of it."""
    state = np.random.SeedSequence((seed, stream, number)).generate_state(1, np.uint64)
    return int(state[0])
