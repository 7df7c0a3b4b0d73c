"""The metrics of reloads: whether a running service took the versions that its store names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

Outcome = Literal["reloaded", "damaged", "incompatible", "unfit", "slower", "no_room", "failed"]
"""``reloaded``: the version is served. The others say why it was refused."""


class ReloadMetrics:
    """The metrics of reloads in ``registry``."""

    def __init__(self, registry: CollectorRegistry, *, shared: bool) -> None:
        self._shared = shared
        self._meanings: set[tuple[str, str, str]] = set()
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
        self._aliases = Gauge(
            "valence_model_alias",
            "1 for the version that an alias of a model means here; without an alias, its name.",
            ("model", "alias", "version"),
            multiprocess_mode="livemax",
            registry=registry,
        )

    def set_meanings(self, meanings: Mapping[tuple[str, str], str]) -> None:
        """Note the version of each model and alias.

        The values that processes share cannot be removed, so 0 tells that a meaning ended.
        """
        now = {(model, alias, version) for (model, alias), version in meanings.items()}
        for ended in self._meanings - now:
            if self._shared:
                self._aliases.labels(*ended).set(0)
            else:
                self._aliases.remove(*ended)
        for begun in now - self._meanings:
            self._aliases.labels(*begun).set(1)
        self._meanings = now

    def begin(self, model: str) -> None:
        """Show zeros for ``model``: a rate sees a first count only if a zero came before it."""
        for outcome in get_args(Outcome):
            self._reloads.labels(model, outcome)
        self._refused.labels(model).set(0)

    def count(self, model: str, outcome: Outcome) -> None:
        """Count one reload of ``model``."""
        self._reloads.labels(model, outcome).inc()

    def set_refused(self, model: str, *, refused: bool) -> None:
        """Note whether the store names a version that was refused."""
        self._refused.labels(model).set(refused)
