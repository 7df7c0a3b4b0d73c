"""The metrics of a source of models: what was copied from it, and whether it can be followed."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge
from valence.service.errors import SourceOutcome


class SourceMetrics:
    """The metrics of sources in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pulls = Counter(
            "valence_model_pulls",
            "Versions copied from VALENCE_MODEL_SOURCE, and attempts that failed, by the reason.",
            ("model", "outcome"),
            registry=registry,
        )
        self._unread = Gauge(
            "valence_model_source_unread",
            "1 while what VALENCE_MODEL_SOURCE means by the model cannot be copied.",
            ("model",),
            multiprocess_mode="livemax",
            registry=registry,
        )

    def begin(self, model: str) -> None:
        """Show zeros for ``model``: a rate sees a first count only if a zero came before it."""
        for outcome in ("pulled", *get_args(SourceOutcome)):
            self._pulls.labels(model, outcome)
        self._unread.labels(model).set(0)

    def succeed(self, model: str, versions: int) -> None:
        """Note that the source was followed, and that so many ``versions`` were copied."""
        self._pulls.labels(model, "pulled").inc(versions)
        self._unread.labels(model).set(0)

    def fail(self, model: str, outcome: SourceOutcome) -> None:
        """Count an attempt that failed."""
        self._pulls.labels(model, outcome).inc()
        self._unread.labels(model).set(1)
