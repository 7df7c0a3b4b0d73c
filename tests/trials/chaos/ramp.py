"""A load that rises past what one replica can answer, and whether an autoscaler sees it in time.

A real server is loaded by independent clients, at first by a small share of its capacity, then by a
load that doubles again and again. Its metrics are recorded each second. Then the rule of the
autoscaler is replayed over the record, with every phase of its intervals. A replica that it adds
must be ready before answers take twice their time.
"""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import psutil
from valence.service.observability.metrics.saturation import WINDOW_SECONDS

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, post
from tests.trials.bench.measure import median
from tests.trials.bench.processes import cpu_seconds, free_port, generator_cpu
from tests.trials.chaos import flood
from tests.trials.chaos.autoscaler import Cluster, Rule, decisions
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.load_record import (
    Ramp,
    Scrape,
    Second,
    join,
    mean_waits,
    saturations,
)
from tests.trials.chaos.served import serve

# shares of the capacity: at first, and at the end
_FIRST, _LAST = 0.15, 2.0
_MEASUREMENTS = 3
# The part of the time with the first load, which says how long answers usually take.
_HOLD = 0.15
# The load doubles in so many seconds of the ramp. The record is faster than the ramp.
_DOUBLING_SECONDS = 300.0
# the targets of which the record says whether they would do
_TARGETS = tuple(share / 100 for share in range(20, 100, 5))
# Answers are slow once so many seconds in a row have a p99 of twice the usual one: another program
# on the machine may spoil a second.
_IN_A_ROW = 3
_MOST_CONNECTIONS = 4_000
# the rule before: the mean wait in the queue over two minutes
_WAIT_RULE = Rule(0.05, least=3, most=12)
_WAIT_SECONDS = 120.0


def run(*, seconds: float = 75.0) -> Iterator[Finding]:
    """Load a server for ``seconds``, and replay the rules over the record."""
    sentences = texts.sentences(2_560)
    requests = [post("/v1/classify", json.dumps({"text": text}).encode()) for text in sentences]
    os.sched_setaffinity(0, {generator_cpu()})
    admin = free_port()
    with serve(settings={"VALENCE_ADMIN_PORT": str(admin)}) as server:
        job = Job(port=server.port, requests=requests, connections=64, seconds=2.0, warm_up=1.0)
        # the lowest of several: the capacity beside what other programs take
        capacity = min(load.run(job).per_second for _ in range(_MEASUREMENTS))
        # until the closed loop has left the window of the saturation
        time.sleep(WINDOW_SECONDS + 2.0)
        ramp = Ramp(_FIRST * capacity, _LAST * capacity, _HOLD * seconds, seconds)
        noise = _Noise([os.getpid(), *server.pids()])
        with _Scraper(admin) as scraper:
            wave = flood.run(
                server.port,
                requests,
                due=ramp.due(),
                seconds=seconds,
                most_connections=_MOST_CONNECTIONS,
            )
        others = noise.share()
    scrapes = [scrape for scrape in scraper.scrapes() if scrape.at <= seconds]
    record = join(wave, scrapes, ramp, capacity)
    yield _judge(record, scrapes, ramp, capacity)
    yield _table(record, wave, others)


class _Noise:
    """The share of the machine's processors that other programs take, from now on."""

    def __init__(self, own: Sequence[int]) -> None:
        self._own = own
        self._before = self._seconds()

    def _seconds(self) -> tuple[float, float]:
        times = psutil.cpu_times()
        total = sum(times) - times.guest - times.guest_nice
        return total, total - times.idle - times.iowait - cpu_seconds(self._own)

    def share(self) -> float:
        """Return the share so far."""
        total, others = np.subtract(self._seconds(), self._before)
        return float(others / total)


class _Scraper:
    """Reads the metrics each second, and leaves parsing them to the end of the measurement."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._texts: list[tuple[float, bytes]] = []

    def __enter__(self) -> _Scraper:
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        for number in range(1, 10_000):
            if self._over.wait(max(0.0, self._started + number - time.perf_counter())):
                return
            with socket.create_connection(("127.0.0.1", self._port), timeout=10.0) as connection:
                connection.sendall(request)
                received = b"".join(iter(lambda: connection.recv(1 << 18), b""))
            self._texts.append((time.perf_counter() - self._started, received))

    def scrapes(self) -> list[Scrape]:
        """Return what was read, in order."""
        return [Scrape.of_text(at, text.decode()) for at, text in self._texts]


def find_slow(record: Sequence[Second], usual: float) -> float:
    """Return from when the p99 is twice the ``usual`` one for several seconds; infinite: never."""
    for number in range(len(record) - _IN_A_ROW + 1):
        if all(second.p99 >= 2 * usual for second in record[number : number + _IN_A_ROW]):
            return record[number].at
    return math.inf


def _judge(
    record: Sequence[Second], scrapes: Sequence[Scrape], ramp: Ramp, capacity: float
) -> Finding:
    usual = median([second.p99 for second in record if second.at <= ramp.hold])
    slow = find_slow(record, usual)
    cluster = Cluster()
    times_faster = _DOUBLING_SECONDS / ramp.doubling_seconds
    faster = cluster.shorten(times_faster)
    rule = Rule.of_manifest()
    saturation = saturations(scrapes)

    def wanted(rule: Rule, *, phases: int = 15) -> list[float]:
        return decisions(rule, saturation, faster, seconds=ramp.seconds, phases=phases)

    def in_time(times: Sequence[float]) -> bool:
        return ramp.hold < times[0] and times[-1] + faster.start < slow < math.inf

    def of_capacity(at: float) -> str:
        return "never" if math.isinf(at) else f"{ramp.rate(at) / capacity:.0%}"

    def span(times: Sequence[float]) -> str:
        first, last = of_capacity(times[0]), of_capacity(times[-1])
        return first if first == last else f"{first} to {last}"

    seen = wanted(rule)
    waits = mean_waits(scrapes, _WAIT_SECONDS / times_faster)
    wait_seen = decisions(_WAIT_RULE, waits, faster, seconds=ramp.seconds)
    would_do = [
        target for target in _TARGETS if in_time(wanted(replace(rule, target=target), phases=5))
    ]
    return Finding(
        fault="load that rises past one replica",
        tried=f"{_FIRST:.0%} of {capacity:,.0f} requests/s, then up to {_LAST:.0%}, doubling in "
        f"{_DOUBLING_SECONDS:g} s, recorded {times_faster:.0f} times as fast; the target of "
        f"{rule.target:g} over the record, in {len(seen)} phases of a scrape each "
        f"{cluster.scrape:g} s and a sync each {cluster.sync:g} s, {cluster.start:g} s to start",
        lost=f"p99 {usual * 1e3:.1f} ms at first, twice that at {of_capacity(slow)} of the "
        f"capacity; a replica wanted at {span(seen)}, ready "
        f"by {of_capacity(seen[-1] + faster.start)}; targets that would do: "
        f"{', '.join(f'{target:g}' for target in would_do) or 'none'}; by a mean wait in the queue "
        f"of 50 ms, wanted at {span(wait_seen)}",
        promise="more replicas wanted under the rising load only, and ready before p99 doubles",
        held=in_time(seen),
    )


def _table(record: Sequence[Second], wave: flood.Flood, others: float) -> Finding:
    """Return what each load does to the answers and to the signal."""
    steps = []
    for step in (0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.8):
        near = [second for second in record if abs(second.load - step) < 0.15 * step]
        if near:
            steps.append(
                f"{step:.0%}: p50 {_milli(near, 'p50')}, p99 {_milli(near, 'p99')}, wait "
                f"{_milli(near, 'wait')}, saturation "
                f"{median([second.saturation for second in near]):.2f}, refused "
                f"{median([second.refused for second in near]):.0%}"
            )
    return Finding(
        fault="the same, by load",
        tried=f"{wave.sent:,} requests; medians of the seconds near each load, in ms; other "
        f"programs took {others:.0%} of the processors",
        lost="; ".join(steps),
        promise="every request is answered",
        held=not wave.unanswered,
    )


def _milli(seconds: Sequence[Second], name: str) -> str:
    return f"{median([getattr(second, name) for second in seconds]) * 1e3:.1f}"
