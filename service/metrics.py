"""Every metric the service exports.

Built once a worker, after BentoML has set ``PROMETHEUS_MULTIPROC_DIR``, never at import: the
client library decides by that variable whether values live in memory or in files the workers share.
Labels come from the route table and the models, never from a request.
"""

from __future__ import annotations

import bisect
import collections
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.multiprocess import MultiProcessCollector

from service.later import Later

CONTENT_TYPE = CONTENT_TYPE_LATEST

# half a millisecond is a usual answer, five seconds the default deadline
_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
# what was counted reaches the metrics after at most this long, or this many requests
_FLUSH_SECONDS = 0.5
_MOST_PENDING = 256
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_TOKENS = (16, 64, 256, 1024, 4096, 16384, 65536)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self, *, version: str) -> None:
        self._registry = CollectorRegistry()
        self._multiprocess = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        if self._multiprocess:
            # the default asks the kernel for the process's id at every step of every metric
            identity = os.getpid()
            values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
                lambda: identity
            )
        registry = self._registry
        by_request = ("route", "method", "status", "model", "version")
        by_model = ("model", "version")
        self._request_seconds = Histogram(
            "valence_request_duration_seconds",
            "From a request's first byte to its answer's last.",
            by_request,
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = 0
        """Requests being answered by this worker; the application counts."""
        self._in_flight = Gauge(
            "valence_requests_in_flight",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.ready = False
        """Whether requests are answered, as the readiness probe is told."""
        self._ready = Gauge(
            "valence_ready",
            "1 while requests are answered, 0 while starting and draining.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._rejected = Counter(
            "valence_rejected_requests",
            "Requests refused, by the error that refused them.",
            ("reason",),
            registry=registry,
        )
        self._key_requests = Counter(
            "valence_key_requests",
            "Requests answered, by the name of their API key.",
            ("key",),
            registry=registry,
        )
        self._key_texts = Counter(
            "valence_key_texts",
            "Texts scored, by the name of the API key that asked.",
            ("key",),
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "valence_stage_duration_seconds",
            "Time of a request in each stage: tokenize, queue, infer.",
            (*by_model, "stage"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.tokens = Counter(
            "valence_tokens", "Tokens of the texts scored.", by_model, registry=registry
        )
        self.unknown_tokens = Counter(
            "valence_unknown_tokens",
            "Tokens read that are not in the vocabulary.",
            by_model,
            registry=registry,
        )
        self.truncated_texts = Counter(
            "valence_truncated_texts",
            "Texts of which not all tokens were read.",
            by_model,
            registry=registry,
        )
        self.predictions = Counter(
            "valence_predictions",
            "Texts by label given; a multi-label model gives a text any number of labels.",
            (*by_model, "label"),
            registry=registry,
        )
        self.uncertain_texts = Counter(
            "valence_uncertain_texts",
            "Texts answered without a label: none reached the request's min_confidence.",
            by_model,
            registry=registry,
        )
        self.cache_hits = Counter(
            "valence_cache_hits",
            "Texts whose answer was in the cache.",
            by_model,
            registry=registry,
        )
        self.cache_misses = Counter(
            "valence_cache_misses",
            "Texts whose answer was not in the cache, while there is one.",
            by_model,
            registry=registry,
        )
        self.queue_items = Gauge(
            "valence_queue_items",
            "Texts waiting for the engine.",
            by_model,
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.queue_tokens = Gauge(
            "valence_queue_tokens",
            "Tokens waiting for the engine.",
            by_model,
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.queue_age_seconds = Gauge(
            "valence_queue_age_seconds",
            "How long the oldest waiting request has waited.",
            by_model,
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.batch_items = Histogram(
            "valence_batch_items", "Texts the engine was given at once.", by_model,
            buckets=_ITEMS, registry=registry,
        )  # fmt: skip
        self.batch_tokens = Histogram(
            "valence_batch_tokens", "Tokens the engine was given at once.", by_model,
            buckets=_TOKENS, registry=registry,
        )  # fmt: skip
        # Info would say it better, but the client library has none across processes
        self.model_info = Gauge(
            "valence_model_info",
            "1 for each model served, with the engine that computes it.",
            (*by_model, "engine"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        build = Gauge(
            "valence_build_info",
            "1, with the version of the service.",
            ("service_version",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        build.labels(version).set(1)
        self._pending: dict[tuple[str, str, int, str, str], list[float]] = {}
        self._pending_by_key: dict[str, list[int]] = {}
        self._pending_rejections: collections.Counter[str] = collections.Counter()
        self._later = Later(self.flush, seconds=_FLUSH_SECONDS)

    def request(
        self, *, route: str, method: str, status: int, model: str, version: str, seconds: float
    ) -> None:
        """Count one answered request, by the next :meth:`flush`: half a second later at most.

        Moving shared metrics one by one costs a tenth of a request.
        """
        pending = self._pending.setdefault((route, method, status, model, version), [])
        pending.append(seconds)
        if len(pending) < _MOST_PENDING:
            self._later.ask()
        else:
            self.flush()

    def by_key(self, name: str, *, texts: int) -> None:
        """Count one answered request of the API key ``name``, by the next :meth:`flush`."""
        self._pending_by_key.setdefault(name, []).append(texts)
        self._later.ask()

    def flush(self) -> None:
        """Move the metrics by what was counted since the last time."""
        by_key, self._pending_by_key = self._pending_by_key, {}
        for name, texts in by_key.items():
            self._key_requests.labels(name).inc(len(texts))
            self._key_texts.labels(name).inc(sum(texts))
        rejections, self._pending_rejections = self._pending_rejections, collections.Counter()
        for reason, count in rejections.items():
            self._rejected.labels(reason).inc(count)
        pending, self._pending = self._pending, {}
        for (route, method, status, model, version), seconds in pending.items():
            labels = (route, method, str(status), model, version)
            _observe_all(self._request_seconds.labels(*labels), seconds)

    def rejected(self, reason: str) -> None:
        """Count one refused request, by the next :meth:`flush`.

        ``reason`` is a name from the error table.
        """
        self._pending_rejections[reason] += 1
        self._later.ask()

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format; with several workers, of all of them."""
        self._in_flight.set(self.in_flight)
        self._ready.set(self.ready)
        return generate_latest(_Exposition(self._collectors()))

    def _collectors(self) -> Iterator[Any]:
        process = CollectorRegistry()
        ProcessCollector(registry=process)
        yield process
        if self._multiprocess:
            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
            yield shared
        else:
            yield self._registry


class ModelMetrics:
    """The metrics of one model, their labels bound once."""

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
        metrics.model_info.labels(*by_model, engine).set(1)
        self._later = Later(self.flush, seconds=_FLUSH_SECONDS)
        # counted, but not yet in the metrics
        self._scored: list[tuple[int, int, int, float, float, float]] = []
        self._batches: list[tuple[int, int]] = []
        self._labels: list[str] = []
        self._hits = self._misses = 0

    def scored(
        self,
        labels: Sequence[str],
        *,
        tokens: int,
        unknown_tokens: int,
        truncated_texts: int,
        tokenize_seconds: float,
        queue_seconds: float,
        infer_seconds: float,
    ) -> None:
        """Count one request's texts, by the next :meth:`flush`: half a second later at most.

        ``labels`` are what they were given, one for each text of a single-label model.
        """
        self._labels += labels
        self._scored.append(
            (
                tokens,
                unknown_tokens,
                truncated_texts,
                tokenize_seconds,
                queue_seconds,
                infer_seconds,
            )
        )
        if len(self._scored) >= _MOST_PENDING:
            self.flush()
        else:
            self._later.ask()

    def flush(self) -> None:
        """Move the metrics by what was counted since the last time."""
        if self._scored:
            *counts, tokenize, queue, infer = zip(*self._scored, strict=True)
            self._scored.clear()
            for counter, values in zip(self._counters, counts, strict=True):
                counter.inc(sum(values))
            _observe_all(self._tokenize, tokenize)
            _observe_all(self._queue, queue)
            _observe_all(self._infer, infer)
        if self._batches:
            items, of_tokens = zip(*self._batches, strict=True)
            self._batches.clear()
            _observe_all(self._batch_items, items)
            _observe_all(self._batch_tokens, of_tokens)
        for label, texts in collections.Counter(self._labels).items():
            self._predictions[label].inc(texts)
        self._labels.clear()
        self._cache_hits.inc(self._hits)
        self._cache_misses.inc(self._misses)
        self._hits = self._misses = 0

    def cached(self, labels: Sequence[str], *, hits: int, misses: int) -> None:
        """Count texts looked for in the cache; ``labels`` are what those it held were given."""
        self._labels += labels
        self._hits += hits
        self._misses += misses
        self._later.ask()

    def uncertain(self, texts: int) -> None:
        """Count texts answered without a label; :meth:`scored` has counted their likeliest."""
        self._uncertain.inc(texts)

    def batch(self, *, items: int, tokens: int) -> None:
        """Count one batch handed to the engine, by the next :meth:`flush`."""
        self._batches.append((items, tokens))
        self._later.ask()

    def queue(self, *, items: int, tokens: int, age_seconds: float) -> None:
        """Set what waits now."""
        self._queue_items.set(items)
        self._queue_tokens.set(tokens)
        self._queue_age.set(age_seconds)


def _observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """``histogram.observe`` for each value; the library has no call for many at once."""
    if values:
        places = collections.Counter(
            bisect.bisect_left(histogram._upper_bounds, value) for value in values
        )
        for place, count in places.items():
            histogram._buckets[place].inc(count)
        histogram._sum.inc(sum(values))


class _Exposition:
    """All families of the collectors, the number of requests, and both under BentoML's names.

    A histogram counts what it observes, so requests are counted from it: a counter beside it would
    only cost every request once more.

    BentoML's own would label by the raw path, a series for every path a stranger tries, and cost
    a third of a request; dashboards made for BentoML read these instead, labelled by route.
    """

    def __init__(self, collectors: Iterable[Any]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            for family in collector.collect():
                yield _ordered(family)
                if family.name == "valence_request_duration_seconds":
                    yield _requests(family)
                    yield _bentoml_requests(family)
                    yield _bentoml_durations(family)


_BENTOML_LABELS = ("endpoint", "http_response_code", "runner_name", "service_name")


def _bentoml_labels(labels: dict[str, str]) -> tuple[str, ...]:
    return labels["route"], labels["status"], "valence", "valence"


def _requests(family: Metric) -> Metric:
    counted = [sample for sample in family.samples if sample.name.endswith("_count")]
    names = tuple(counted[0].labels) if counted else ()
    requests = CounterMetricFamily("valence_requests", "Requests answered.", labels=names)
    for sample in counted:
        requests.add_metric([sample.labels[name] for name in names], sample.value)
    return requests


def _bentoml_requests(family: Metric) -> Metric:
    totals: dict[tuple[str, ...], float] = {}
    for sample in family.samples:
        if sample.name.endswith("_count"):
            key = _bentoml_labels(sample.labels)
            totals[key] = totals.get(key, 0.0) + sample.value
    renamed = CounterMetricFamily(
        "bentoml_service_request", "Requests answered.", labels=_BENTOML_LABELS
    )
    for key, value in totals.items():
        renamed.add_metric(key, value)
    return renamed


def _bentoml_durations(family: Metric) -> Metric:
    buckets: dict[tuple[str, ...], dict[str, float]] = {}
    sums: dict[tuple[str, ...], float] = {}
    for sample in family.samples:
        key = _bentoml_labels(sample.labels)
        if sample.name.endswith("_bucket"):
            counts = buckets.setdefault(key, {})
            bound = sample.labels["le"]
            counts[bound] = counts.get(bound, 0.0) + sample.value
        elif sample.name.endswith("_sum"):
            sums[key] = sums.get(key, 0.0) + sample.value
    renamed = HistogramMetricFamily(
        "bentoml_service_request_duration_seconds", "Time to answer.", labels=_BENTOML_LABELS
    )
    for key, counts in buckets.items():
        renamed.add_metric(key, sorted(counts.items(), key=lambda pair: float(pair[0])), sums[key])
    return renamed


def _ordered(family: Metric) -> Metric:
    """A histogram's samples as the text format wants them, which several workers' are not."""
    if family.type == "histogram":
        rank = {"_bucket": 0, "_count": 1, "_sum": 2}

        def place(sample: Any) -> tuple[Any, ...]:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            suffix = sample.name.removeprefix(family.name)
            return labels, rank.get(suffix, 3), float(sample.labels.get("le", 0))

        family.samples.sort(key=place)
    return family
