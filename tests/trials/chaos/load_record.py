"""The record of a rising load: requests by time, what the metrics said, and the answers."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tests.trials.bench.measure import percentile
from tests.trials.chaos import flood

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


class Scrape(NamedTuple):
    """What the metrics said at a time after the start; sums and counts since the server began."""

    at: float
    saturation: float
    queue_seconds: float
    queue_count: float
    refused: float

    @classmethod
    def of_text(cls, at: float, text: str) -> Scrape:
        """Return the values in an exposition."""
        saturation = seconds = count = refused = 0.0
        for name, labels, value in _SAMPLE.findall(text):
            if name == "valence_saturation_ratio":
                saturation = float(value)
            elif name.startswith("valence_stage_duration_seconds") and 'stage="queue"' in labels:
                seconds += float(value) if name.endswith("_sum") else 0.0
                count += float(value) if name.endswith("_count") else 0.0
            elif name == "valence_rejected_requests_total":
                refused += float(value)
        return cls(at, saturation, seconds, count, refused)


@dataclass(frozen=True)
class Second:
    """The answers to the requests of one second; latencies in seconds, loads of the capacity."""

    at: float
    load: float
    p50: float
    p99: float
    wait: float
    saturation: float
    refused: float


@dataclass(frozen=True)
class Ramp:
    """Requests per second: ``first`` for ``hold`` seconds, then growing evenly up to ``last``."""

    first: float
    last: float
    hold: float
    seconds: float

    def rate(self, at: float) -> float:
        """Return the requests per second at a time."""
        risen = min(max((at - self.hold) / (self.seconds - self.hold), 0.0), 1.0)
        return self.first * (self.last / self.first) ** risen

    @property
    def doubling_seconds(self) -> float:
        """The time in which the rate doubles."""
        return (self.seconds - self.hold) / math.log2(self.last / self.first)

    def due(self, *, seed: int = 0) -> Iterator[float]:
        """Yield the times of the requests of many independent clients (a Poisson process)."""
        grid = np.linspace(0.0, self.seconds, 1_000)
        rates = np.array([self.rate(at) for at in grid])
        steps = np.diff(grid) * (rates[1:] + rates[:-1]) / 2
        expected = np.concatenate(([0.0], np.cumsum(steps)))
        gaps = np.random.default_rng(seed).exponential(1.0, int(expected[-1] * 1.1) + 100)
        arrivals = np.cumsum(gaps)
        within = arrivals[arrivals < expected[-1]]
        return iter(np.interp(within, expected, grid).tolist())


def join(wave: flood.Flood, scrapes: Sequence[Scrape], ramp: Ramp, capacity: float) -> list[Second]:
    """Return what was measured between each two scrapes, by when the requests were sent."""
    answers = sorted(zip(wave.accepted_at, wave.accepted, strict=True))
    sent = [at for at, _ in answers]
    found = []
    for before, after in pairwise(scrapes):
        within = answers[bisect.bisect(sent, before.at) : bisect.bisect(sent, after.at)]
        latencies = sorted(latency for _, latency in within) or [math.inf]
        refused = after.refused - before.refused
        found.append(
            Second(
                at=after.at,
                load=ramp.rate(after.at) / capacity,
                p50=percentile(latencies, 0.5),
                p99=percentile(latencies, 0.99),
                wait=mean_wait(before, after),
                saturation=after.saturation,
                refused=refused / max(refused + len(within), 1),
            )
        )
    return found


def mean_wait(before: Scrape, after: Scrape) -> float:
    """Return the seconds in the queue of a request between two scrapes."""
    seconds = after.queue_seconds - before.queue_seconds
    return seconds / max(after.queue_count - before.queue_count, 1)


def saturations(scrapes: Sequence[Scrape]) -> Callable[[float], float]:
    """Return the saturation that the last scrape before a time has seen."""
    times = [scrape.at for scrape in scrapes]

    def value(at: float) -> float:
        return scrapes[max(bisect.bisect(times, at) - 1, 0)].saturation

    return value


def mean_waits(scrapes: Sequence[Scrape], window: float) -> Callable[[float], float]:
    """Return the mean wait in the queue over the ``window`` before a time."""
    times = [scrape.at for scrape in scrapes]

    def value(at: float) -> float:
        after = scrapes[max(bisect.bisect(times, at) - 1, 0)]
        before = scrapes[bisect.bisect_left(times, at - window)]
        return mean_wait(before, after)

    return value
