"""The metrics of monitoring: drift from the training, and estimated accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge


class MonitoringMetrics:
    """The metrics of monitoring in ``registry``, by model and version.

    The values that processes share (``shared``) cannot be removed, so those stay.
    """

    def __init__(self, registry: CollectorRegistry, *, shared: bool) -> None:
        by_model = ("model", "version")
        self._texts = Counter(
            "valence_monitored_texts",
            "Texts whose answers were counted by the monitor.",
            by_model,
            registry=registry,
        )
        self._right = Counter(
            "valence_estimated_right_texts",
            "How many of the monitored texts are expected to have the right label (CBPE).",
            by_model,
            registry=registry,
        )
        self._windows = Counter(
            "valence_drift_windows",
            "Windows of texts by signal; of those like the texts of the training, at most one in "
            "10,000 is drifted.",
            (*by_model, "signal", "outcome"),
            registry=registry,
        )
        self._accuracy = Gauge(
            "valence_reference_accuracy",
            "Accuracy on the held-out texts of the training, which an estimate is compared with.",
            by_model,
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._shared = shared

    def begin(
        self, model: str, version: str, signals: Iterable[str], *, accuracy: float | None
    ) -> None:
        """Show zeros: a rate sees a first count only if a zero came before it."""
        self._texts.labels(model, version)
        for signal in signals:
            for outcome in ("usual", "drifted"):
                self._windows.labels(model, version, signal, outcome)
        if accuracy is not None:
            self._right.labels(model, version)
            self._accuracy.labels(model, version).set(accuracy)

    def count_texts(self, model: str, version: str, texts: int, *, right: float | None) -> None:
        """Count ``texts``, of which so many are expected to be right."""
        self._texts.labels(model, version).inc(texts)
        if right is not None:
            self._right.labels(model, version).inc(right)

    def count_window(self, model: str, version: str, drift: Mapping[Any, bool]) -> None:
        """Count a full window by each of its signals."""
        for signal, drifted in drift.items():
            outcome = "drifted" if drifted else "usual"
            self._windows.labels(model, version, signal, outcome).inc()

    def end(self, model: str, version: str) -> None:
        """Remove the series of a version that is not served any more."""
        labels = {"model": model, "version": version}
        if self._shared:
            self._accuracy.labels(model, version).set(0)
            return
        for family in (self._texts, self._right, self._windows, self._accuracy):
            family.remove_by_labels(labels)
