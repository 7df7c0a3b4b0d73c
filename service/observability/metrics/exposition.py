"""The answer to a scrape: every metric family in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(collectors: Iterable[Any]) -> bytes:
    """All families of ``collectors``, and those that are derived from them, in text format."""
    return generate_latest(_Exposition(collectors))


class _Exposition:
    """All families of the collectors, the number of requests, and both under BentoML's names.

    The number of requests comes from the histogram of their durations: a separate counter would
    take time from every request.

    BentoML's own metrics have the raw path as a label, so each path that anybody tries would add a
    series, and they take a third of the time of a request. Dashboards for BentoML can read these
    metrics instead, which have the route as a label.
    """

    def __init__(self, collectors: Iterable[Any]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            for family in collector.collect():
                if family.name.startswith(_BENTOML_PREFIX):
                    # BentoML's own: a name may come only once
                    continue
                yield _sorted(family)
                if family.name == "valence_request_duration_seconds":
                    yield _requests(family)
                    yield _bentoml_requests(family)
                    yield _bentoml_durations(family)


_BENTOML_PREFIX = "bentoml_"
_BENTOML_LABELS = ("endpoint", "http_response_code", "runner_name", "service_name")


def _bentoml_labels(labels: dict[str, str]) -> tuple[str, ...]:
    return labels["route"], labels["status"], "valence", "valence"


def _requests(family: Metric) -> Metric:
    samples = [sample for sample in family.samples if sample.name.endswith("_count")]
    names = tuple(samples[0].labels) if samples else ()
    requests = CounterMetricFamily("valence_requests", "Requests answered.", labels=names)
    for sample in samples:
        requests.add_metric([sample.labels[name] for name in names], sample.value)
    return requests


def _bentoml_requests(family: Metric) -> Metric:
    totals: dict[tuple[str, ...], float] = {}
    for sample in family.samples:
        if sample.name.endswith("_count"):
            key = _bentoml_labels(sample.labels)
            totals[key] = totals.get(key, 0.0) + sample.value
    family_for_bentoml = CounterMetricFamily(
        "bentoml_service_request", "Requests answered.", labels=_BENTOML_LABELS
    )
    for key, value in totals.items():
        family_for_bentoml.add_metric(key, value)
    return family_for_bentoml


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
    family_for_bentoml = HistogramMetricFamily(
        "bentoml_service_request_duration_seconds", "Time to answer.", labels=_BENTOML_LABELS
    )
    for key, counts in buckets.items():
        family_for_bentoml.add_metric(
            key, sorted(counts.items(), key=lambda pair: float(pair[0])), sums[key]
        )
    return family_for_bentoml


def _sorted(family: Metric) -> Metric:
    """Sort the samples of a histogram as the text format requires: several workers mix them."""
    if family.type == "histogram":
        rank = {"_bucket": 0, "_count": 1, "_sum": 2}

        def position(sample: Any) -> tuple[Any, ...]:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            suffix = sample.name.removeprefix(family.name)
            return labels, rank.get(suffix, 3), float(sample.labels.get("le", 0))

        family.samples.sort(key=position)
    return family
