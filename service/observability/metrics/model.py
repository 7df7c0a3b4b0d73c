"""The metrics of one model, with its labels bound once."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import NamedTuple

from valence.service.observability.metrics.buffered import FLUSH_SECONDS, MAX_BUFFERED, observe_all
from valence.service.observability.metrics.service import Metrics
from valence.service.pacing.debounce import Debounced


class ScoringRecord(NamedTuple):
    """Counts and durations of the texts of one request."""

    tokens: int
    unknown_tokens: int
    truncated_texts: int
    tokenize_seconds: float
    queue_seconds: float
    infer_seconds: float


class ModelMetrics:
    """The metrics of one model, with its labels bound once."""

    def __init__(
        self, metrics: Metrics, *, name: str, version: str, labels: tuple[str, ...], engine: str
    ) -> None:
        by_model = (name, version)
        self._tokenize, self._queue, self._infer = (
            metrics.stage_seconds.labels(*by_model, stage)
            for stage in ("tokenize", "queue", "infer")
        )
        self._counters = (
            metrics.tokens.labels(*by_model),
            metrics.unknown_tokens.labels(*by_model),
            metrics.truncated_texts.labels(*by_model),
        )
        self._cache_hits = metrics.cache_hits.labels(*by_model)
        self._cache_misses = metrics.cache_misses.labels(*by_model)
        self._uncertain = metrics.uncertain_texts.labels(*by_model)
        self._predictions = {
            label: metrics.predictions.labels(*by_model, label) for label in labels
        }
        self._queue_items = metrics.queue_items.labels(*by_model)
        self._queue_tokens = metrics.queue_tokens.labels(*by_model)
        self._queue_age = metrics.queue_age_seconds.labels(*by_model)
        self._batch_items = metrics.batch_items.labels(*by_model)
        self._batch_tokens = metrics.batch_tokens.labels(*by_model)
        self._metrics = metrics
        self._names = (name, version, engine)
        self._retired = False
        self._flush_soon = Debounced(self.flush, seconds=FLUSH_SECONDS)
        # buffered until the next flush
        self._records: list[ScoringRecord] = []
        self._batches: list[tuple[int, int]] = []
        self._buffered_labels: list[str] = []
        self._hits = self._misses = 0

    def count_scored(self, labels: Sequence[str], work: ScoringRecord) -> None:
        """Count the texts of one request, at the next :meth:`flush`: at most half a second later.

        ``labels`` are the labels of the texts: one for each text of a single-label model.
        """
        self._buffered_labels += labels
        self._records.append(work)
        if len(self._records) >= MAX_BUFFERED:
            self.flush()
        else:
            self._flush_soon.request()

    def flush(self) -> None:
        """Update the metrics by what was counted since the last flush."""
        if self._records:
            *counts, tokenize, queue, infer = zip(*self._records, strict=True)
            self._records.clear()
            for counter, values in zip(self._counters, counts, strict=True):
                counter.inc(sum(values))
            observe_all(self._tokenize, tokenize)
            observe_all(self._queue, queue)
            observe_all(self._infer, infer)
        if self._batches:
            items, tokens = zip(*self._batches, strict=True)
            self._batches.clear()
            observe_all(self._batch_items, items)
            observe_all(self._batch_tokens, tokens)
        for label, texts in collections.Counter(self._buffered_labels).items():
            self._predictions[label].inc(texts)
        self._buffered_labels.clear()
        self._cache_hits.inc(self._hits)
        self._cache_misses.inc(self._misses)
        self._hits = self._misses = 0

    def count_cached(self, labels: Sequence[str], *, hits: int, misses: int) -> None:
        """Count texts that were looked up in the cache; ``labels`` are those of the hits."""
        self._buffered_labels += labels
        self._hits += hits
        self._misses += misses
        self._flush_soon.request()

    def count_uncertain(self, texts: int) -> None:
        """Count texts answered without a label.

        :meth:`count_scored` has counted their likeliest label.
        """
        self._uncertain.inc(texts)

    def count_batch(self, *, items: int, tokens: int) -> None:
        """Count one batch given to the engine, at the next :meth:`flush`."""
        self._batches.append((items, tokens))
        self._flush_soon.request()

    def set_served(self) -> None:
        """Name the version as one that is served."""
        self._metrics.versions.enter(*self._names)

    def retire(self) -> None:
        """Take the version and its queue out of the gauges: requests no longer reach it."""
        self._retired = True
        self._metrics.versions.leave(*self._names)

    def set_queue(self, *, items: int, tokens: int, age_seconds: float) -> None:
        """Set the size and the age of the queue."""
        if self._retired:
            return
        self._queue_items.set(items)
        self._queue_tokens.set(tokens)
        self._queue_age.set(age_seconds)
