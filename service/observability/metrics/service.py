"""Metrics of requests, and the families whose labels name a model."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from valence.service.observability import metrics_folder
from valence.service.observability.metrics.buffered import FLUSH_SECONDS, MAX_BUFFERED, observe_all
from valence.service.observability.metrics.exposition import exposition
from valence.service.observability.metrics.feedback import FeedbackMetrics
from valence.service.observability.metrics.keys import KeyMetrics
from valence.service.observability.metrics.monitoring import MonitoringMetrics
from valence.service.observability.metrics.processes import ServerProcesses
from valence.service.observability.metrics.reloads import ReloadMetrics
from valence.service.observability.metrics.saturation import REASONS
from valence.service.observability.metrics.shadow import ShadowMetrics
from valence.service.observability.metrics.sources import SourceMetrics
from valence.service.observability.metrics.totals import ModelTotals, sum_by_model
from valence.service.observability.metrics.versions import Versions
from valence.service.observability.request_record import RequestRecord
from valence.service.pacing.debounce import Debounced

# An answer usually takes half a millisecond; the default deadline is five seconds.
_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_TOKENS = (16, 64, 256, 1024, 4096, 16384, 65536)


class _SharedValues:
    """Collects the values of all workers from the files in their folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Any:
        """All families, with the gauges of living workers only."""
        files = metrics_folder.value_files(self._folder)
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of the service, in their own registry.

    With a ``folder`` several workers share them: it is the one that :func:`metrics_folder.enter`
    gave. Without one they are in memory, where a killed worker leaves nothing behind and a full
    disk does no harm.
    """

    def __init__(  # noqa: PLR0915 - a statement for each family
        self, *, version: str, folder: Path | None = None
    ) -> None:
        self._registry = CollectorRegistry()
        self.folder = folder
        """The folder that several workers share; None for the only one."""
        # shared metrics never have the time of their creation, so none has it
        disable_created_metrics()  # type: ignore[no-untyped-call]
        if folder is None:
            values.ValueClass = values.MutexValue
        else:
            # By default the library asks the kernel for the process id at every update of a metric.
            process_id = os.getpid()
            values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
                lambda: process_id
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
        """Requests that this worker is answering; the application sets it."""
        self._in_flight = Gauge(
            "valence_requests_in_flight",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.ready = False
        """Whether requests are answered: the answer to the readiness probe."""
        self._ready = Gauge(
            "valence_ready",
            "1 while a worker answers requests, 0 while starting and draining.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.saturation = 0.0
        """How full this worker is (:class:`Saturation`); whoever measures it sets it."""
        self._saturation = Gauge(
            "valence_saturation_ratio",
            "Busy share of the busiest thread plus refused share of the requests, over 5 s; "
            "1 is full. Of several workers, the fullest.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.answered = self.refused = 0
        """Requests that this worker has scored, and refused for want of capacity."""
        self._rejected = Counter(
            "valence_rejected_requests",
            "Requests refused, by the error that refused them.",
            ("reason",),
            registry=registry,
        )
        self._dropped_lines = Counter(
            "valence_log_lines_dropped",
            "Lines of the log that were not read in time or could not be written.",
            registry=registry,
        )
        self.keys = KeyMetrics(registry)
        self.reloads = ReloadMetrics(registry, shared=folder is not None)
        self.sources = SourceMetrics(registry)
        self.feedback = FeedbackMetrics(registry)
        self.shadow = ShadowMetrics(registry, shared=folder is not None)
        self.monitoring = MonitoringMetrics(registry, shared=folder is not None)
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
            "Texts answered without a label: none reached min_confidence, or no token was known.",
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
        # not an Info, which the client library does not support across processes
        model_info = Gauge(
            "valence_model_info",
            "1 for each model served, with the engine that computes it.",
            (*by_model, "engine"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.versions = Versions(
            model_info,
            (self.queue_items, self.queue_tokens, self.queue_age_seconds),
            (
                self._request_seconds,
                self.stage_seconds,
                self.tokens,
                self.unknown_tokens,
                self.truncated_texts,
                self.predictions,
                self.uncertain_texts,
                self.cache_hits,
                self.cache_misses,
                self.batch_items,
                self.batch_tokens,
            ),
            shared=folder is not None,
        )
        _show_version(version, registry)
        self._buffered_seconds: dict[tuple[str, str, int, str, str], list[float]] = {}
        self._buffered_rejections: collections.Counter[str] = collections.Counter()
        self._flush_soon = Debounced(self.flush, seconds=FLUSH_SECONDS)

    def count_request(self, record: RequestRecord) -> None:
        """Count one answered request, at the next :meth:`flush`: at most half a second later.

        Updating shared metrics one by one takes a tenth of the time of a request.
        """
        if record.key:
            self.keys.count_request(record)
        labels = (record.route, record.method, record.status, record.model, record.version)
        buffered = self._buffered_seconds.setdefault(labels, [])
        buffered.append(record.seconds)
        if len(buffered) < MAX_BUFFERED:
            self._flush_soon.request()
        else:
            self.flush()

    def flush(self) -> None:
        """Update the metrics by what was counted since the last flush."""
        self.keys.flush()
        rejections, self._buffered_rejections = self._buffered_rejections, collections.Counter()
        for reason, count in rejections.items():
            self._rejected.labels(reason).inc(count)
            if reason in REASONS:
                self.refused += count
        durations, self._buffered_seconds = self._buffered_seconds, {}
        for (route, method, status, model, version), seconds in durations.items():
            labels = (route, method, str(status), model, version)
            observe_all(self._request_seconds.labels(*labels), seconds)
            if method == "POST" and status == 200:
                self.answered += len(seconds)

    def count_rejection(self, reason: str) -> None:
        """Count one refused request, at the next :meth:`flush`.

        ``reason`` is the slug of an error.
        """
        self._buffered_rejections[reason] += 1
        self._flush_soon.request()

    def count_dropped_lines(self, lines: int) -> None:
        """Count lines of the log that nobody will read, from any thread."""
        self._dropped_lines.inc(lines)

    @property
    def shared(self) -> bool:
        """Whether several workers share the metrics."""
        return self.folder is not None

    def set_gauges(self) -> None:
        """Let a scrape see what the attributes say, whichever worker answers it."""
        self._in_flight.set(self.in_flight)
        self._saturation.set(self.saturation)
        self._ready.set(self.ready)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format; with several workers, those of all workers."""
        self.set_gauges()
        return exposition(self._collectors())

    def totals(self) -> dict[tuple[str, str], ModelTotals]:
        """What each model has done, by name and version; with several workers, in all of them."""
        return sum_by_model(
            family for collector in self._collectors() for family in collector.collect()
        )

    def _collectors(self) -> Iterator[Any]:
        if self.folder is not None:
            yield ServerProcesses(os.getppid())
            yield _SharedValues(self.folder)
            return
        process = CollectorRegistry()
        ProcessCollector(registry=process)
        yield process
        yield self._registry


def _show_version(version: str, registry: CollectorRegistry) -> None:
    build = Gauge(
        "valence_build_info",
        "1, with the version of the service.",
        ("service_version",),
        multiprocess_mode="livemax",
        registry=registry,
    )
    build.labels(version).set(1)
