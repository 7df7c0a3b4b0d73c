"""The metrics of reloads: whether a running service took the versions that its store names."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

Outcome = Literal["reloaded", "damaged", "incompatible", "unfit", "slower", "failed"]
"""``reloaded``: the version is served. The others say why it was refused."""


class ReloadMetrics:
    """The metrics of reloads in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reloads = Counter(
            "valence_model_reload",
            "Versions that the model store named while the service ran, by what became of them.",
            ("model", "outcome"),
            registry=registry,
        )
        self._refused = Gauge(
            "valence_model_refused",
            "1 while the model store names a version that the service refused.",
            ("model",),
            multiprocess_mode="livemax",
            registry=registry,
        )

    def begin(self, model: str) -> None:
        """Show zeros for ``model``: a rate sees a first count only if a zero came before it."""
        for outcome in get_args(Outcome):
            self._reloads.labels(model, outcome)
        self._refused.labels(model).set(0)

    def count(self, model: str, outcome: Outcome) -> None:
        """Count one reload of ``model``."""
        self._reloads.labels(model, outcome).inc()
        self._refused.labels(model).set(outcome != "reloaded")

    def clear(self, model: str) -> None:
        """Note that the store names no refused version any more."""
        self._refused.labels(model).set(0)
