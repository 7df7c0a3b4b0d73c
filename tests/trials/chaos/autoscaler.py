"""The rule of a HorizontalPodAutoscaler, replayed over a record of the metric that it reads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

MANIFEST = Path("deploy/components/autoscaling/autoscaler.yaml")


@dataclass(frozen=True)
class Rule:
    """The replicas that an autoscaler wants for the mean ``target`` of a metric of its pods."""

    target: float
    least: int = 1
    most: int = 1_000
    tolerance: float = 0.1
    """The deviation from the target, as a share, that changes nothing: a flag of the cluster."""

    @classmethod
    def of_manifest(cls, path: Path = MANIFEST) -> Rule:
        """Return the rule of the manifest, which has one metric."""
        spec = yaml.safe_load(path.read_text("utf-8"))["spec"]
        (metric,) = spec["metrics"]
        target = quantity(metric["pods"]["target"]["averageValue"])
        return cls(target, spec["minReplicas"], spec["maxReplicas"])

    def desired(self, replicas: int, value: float) -> int:
        """Return how many replicas are wanted while ``replicas`` have the mean ``value``."""
        ratio = value / self.target
        if abs(1 - ratio) <= self.tolerance:
            return replicas
        return min(max(math.ceil(replicas * ratio), self.least), self.most)


@dataclass(frozen=True)
class Cluster:
    """How long a value is on its way to a replica, in seconds.

    ``scrape`` is the interval of Prometheus, ``sync`` that of the autoscaler, and ``start`` the
    time from the decision until a new replica gets requests.
    """

    scrape: float = 15.0
    sync: float = 15.0
    start: float = 10.0

    def shorten(self, times: float) -> Cluster:
        """Return the cluster whose seconds pass as many ``times`` faster."""
        return Cluster(self.scrape / times, self.sync / times, self.start / times)


def decisions(
    rule: Rule,
    metric: Callable[[float], float],
    cluster: Cluster,
    *,
    seconds: float,
    phases: int = 15,
) -> list[float]:
    """Return when ``rule`` first wants more replicas, for each phase of scrape and sync.

    ``metric`` gives the value at a time after the start of the record, which is as long as
    ``seconds``. Nobody knows the phases: intervals begin anywhere. A time is infinite where the
    rule never wants more.
    """
    found = []
    for scrape, sync in itertools.product(range(phases), repeat=2):
        syncs = _ticks(cluster.sync, sync / phases, seconds)
        wants = (
            time
            for time in syncs
            if (scraped := _last_tick(time, cluster.scrape, scrape / phases)) >= 0
            and rule.desired(rule.least, metric(scraped)) > rule.least
        )
        found.append(next(wants, math.inf))
    return sorted(found)


def _ticks(interval: float, phase: float, seconds: float) -> Iterator[float]:
    count = math.floor(seconds / interval - phase) + 1
    return ((number + phase) * interval for number in range(count))


def _last_tick(time: float, interval: float, phase: float) -> float:
    return (math.floor(time / interval - phase + 1e-9) + phase) * interval


def quantity(text: str | float) -> float:
    """Return the number of a Kubernetes quantity with or without the suffix for thousandths."""
    written = str(text)
    return float(written[:-1]) / 1_000 if written.endswith("m") else float(written)
