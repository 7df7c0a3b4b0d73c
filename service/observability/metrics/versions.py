"""The series of the versions of models: those of a version that is no longer served end."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Gauge
from prometheus_client.metrics import MetricWrapperBase

# The counts of so many replaced versions stay, for a scrape after their last request and for a
# version that comes back. More would let the answer to a scrape grow with each retraining.
_KEPT = 8


class Versions:
    """Which versions are served: ``info`` has a 1 for each, by model, version and engine.

    ``queues`` are the gauges, and ``counts`` the other families, whose labels are ``model`` and
    ``version`` among others. The values that processes share (``shared``) cannot be removed: a
    gauge is set to 0 there, and counts stay.
    """

    def __init__(
        self,
        info: Gauge,
        queues: Sequence[Gauge],
        counts: Sequence[MetricWrapperBase],
        *,
        shared: bool,
    ) -> None:
        self._info = info
        self._queues = queues
        self._counts = counts
        self._shared = shared
        # the first one was replaced first
        self._replaced: dict[tuple[str, str], None] = {}

    def enter(self, model: str, version: str, engine: str) -> None:
        """Note that ``version`` is served."""
        self._replaced.pop((model, version), None)
        self._info.labels(model, version, engine).set(1)

    def leave(self, model: str, version: str, engine: str) -> None:
        """Note that ``version`` is not served any more."""
        if self._shared:
            self._info.labels(model, version, engine).set(0)
            for gauge in self._queues:
                gauge.labels(model, version).set(0)
            return
        self._info.remove(model, version, engine)
        for gauge in self._queues:
            gauge.remove(model, version)
        self._replaced.pop((model, version), None)
        self._replaced[model, version] = None
        while len(self._replaced) > _KEPT:
            oldest_model, oldest_version = next(iter(self._replaced))
            del self._replaced[oldest_model, oldest_version]
            for family in self._counts:
                family.remove_by_labels({"model": oldest_model, "version": oldest_version})
