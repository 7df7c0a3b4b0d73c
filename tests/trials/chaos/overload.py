"""Ten times more requests than can be answered, and large requests beside small ones."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, post
from tests.trials.bench.measure import percentile
from tests.trials.bench.processes import Server, generator_cpu
from tests.trials.chaos import flood
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import ask, memory, serve

_TIMES = 10
_CONTRACT = {200, 429, 503, 504}
_MOST_GROWTH = 50 * 1024 * 1024
# several floods, each between two measurements of the peak: other load on the machine changes both
# by a fifth within a minute
_ROUNDS = 3
# the neighbour ends by itself, if nobody ends it
_NEIGHBOUR_SECONDS = 30
# (sentences per request, connections that reach the peak, most connections of the flood)
_KINDS = ((256, 8, 4_000), (1, 64, 4_000))


@dataclass(frozen=True, slots=True)
class _Round:
    """A flood, the memory growth in bytes, and the factor by which a request is slower after it."""

    wave: flood.Flood
    growth: int
    slower: float


def run(*, seconds: float = 60.0) -> Iterator[Finding]:
    """Measure each kind of request alone, then small requests beside large ones."""
    sentences = texts.sentences(2_560)
    os.sched_setaffinity(0, {generator_cpu()})
    for size, connections, most in _KINDS:
        requests = _requests(sentences, size)
        with serve() as server:
            yield _overload(
                server, requests, size=size, connections=connections, most=most, seconds=seconds
            )
    with serve() as server:
        yield _mixture(server, sentences, seconds=min(seconds, 15.0))


def _requests(sentences: Sequence[str], size: int) -> list[bytes]:
    parts = [sentences[start : start + size] for start in range(0, len(sentences), size)]
    return [post("/v1/classify", json.dumps({"texts": part}).encode()) for part in parts]


def _overload(
    server: Server,
    requests: Sequence[bytes],
    *,
    size: int,
    connections: int,
    most: int,
    seconds: float,
) -> Finding:
    port = server.port

    def capacity() -> float:
        job = Job(port=port, requests=requests, connections=connections, seconds=8.0, warm_up=2.0)
        with _busy_neighbour():
            return load.run(job).per_second

    deadline = ask(port, "/v1/models/sentiment")["limits"]["request_timeout_seconds"]
    rounds: list[_Round] = []
    peaks = [capacity()]
    for _ in range(_ROUNDS):
        normal = _latency(port, seconds=1.0)
        rate = _TIMES * peaks[-1]
        with _highest_memory(server) as seen:
            wave = flood.run(
                port, requests, due=flood.steady(rate), seconds=seconds, most_connections=most
            )
        time.sleep(2.0)
        slower = _latency(port, seconds=1.0) / normal
        peaks.append(capacity())
        rounds.append(_Round(wave, growth=seen[-1] - seen[0], slower=slower))
    waves = [one.wave for one in rounds]
    sent = sum(wave.sent for wave in waves)
    unanswered = sum(wave.unanswered for wave in waves)
    statuses = sum((wave.statuses for wave in waves), collections.Counter[int]())
    p99 = max(wave.p99 for wave in waves)
    growth = max(one.growth for one in rounds)
    slower = max(one.slower for one in rounds)
    # of a peak above what the generator can send, only what was sent can be answered
    around = [
        min(statistics.mean(pair), wave.sent / seconds)
        for pair, wave in zip(itertools.pairwise(peaks), waves, strict=True)
    ]
    shares = [wave.goodput / peak for wave, peak in zip(waves, around, strict=True)]
    goodput = sum(wave.goodput for wave in waves) / sum(around)
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    peak = statistics.mean(peaks)
    held = (
        unanswered == 0
        and set(statuses) <= _CONTRACT
        and not any(wave.without_retry_after for wave in waves)
        and goodput >= 0.9
        and p99 <= deadline
        and growth <= _MOST_GROWTH
        and slower <= 2
    )
    return Finding(
        fault=f"overload, {size} sentence{'s' * (size > 1)} per request",
        tried=f"{sent / seconds / _ROUNDS / peak:.1f} times the peak, {peak:,.0f}/s with the other "
        f"core as busy, for "
        f"{seconds:.0f} s, {_ROUNDS} times: {sent:,} requests",
        lost=f"{answers}, {unanswered} unanswered; goodput {goodput:.0%} of the peak before and "
        "after, or of what was sent if that is less "
        f"({', '.join(f'{share:.0%}' for share in shares)}); accepted p99 {p99:.2f} s; "
        f"memory +{growth / 2**20:.0f} MiB; a request 2 s later takes {slower:.1f} times the "
        "normal",
        promise="one answer each, by contract; goodput >= 90 %; p99 within the deadline of "
        f"{deadline:g} s; memory <= +50 MiB; normal again in 2 s",
        held=held,
    )


@contextlib.contextmanager
def _busy_neighbour() -> Iterator[None]:
    """Keep the core of the generator busy while a peak is measured, as a flood keeps it busy.

    Cores share caches, and often the units that compute: beside a busy one an answer of 256
    sentences took 3 to 12 % more processor time. Clients elsewhere would not take that from it.
    """
    work = f"import os, time\nos.nice(19)\nends = time.monotonic() + {_NEIGHBOUR_SECONDS}\n"
    work += "while time.monotonic() < ends: pass"
    neighbour = subprocess.Popen([sys.executable, "-c", work])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


@contextlib.contextmanager
def _highest_memory(server: Server) -> Iterator[list[int]]:
    """Yield a list with the resident bytes at the start; the context's end adds their maximum."""
    seen = [memory(server)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.25):
            seen.append(memory(server))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
        seen.append(max(seen[1:], default=seen[0]))


def _latency(port: int, *, seconds: float) -> float:
    """Return the median latency of small requests, sent one after another."""
    taken = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        started = time.perf_counter()
        ask(port, "/v1/classify", {"text": "a small request"})
        taken.append(time.perf_counter() - started)
    return percentile(sorted(taken), 0.5)


def _mixture(server: Server, sentences: Sequence[str], *, seconds: float) -> Finding:
    port = server.port
    ones = _requests(sentences, 1)
    peak = load.run(Job(port=port, requests=ones, connections=64, seconds=5.0)).per_second
    small = Job(
        port=port,
        requests=ones,
        connections=128,
        seconds=seconds,
        warm_up=1.0,
        rate=peak / 10,
        spacing="poisson",
    )
    large = Job(
        port=port,
        requests=_requests(sentences[:1000], 1000),
        connections=1,
        seconds=seconds,
        warm_up=1.0,
    )
    alone = load.run(small)
    with ProcessPoolExecutor(1) as pool:
        beside = pool.submit(load.run, large)
        mixed = load.run(small)
        thousands = beside.result()
    ratio = mixed.p99 / alone.p99
    return Finding(
        fault="1,000-text requests beside 1-text ones",
        tried=f"small requests at a tenth of their peak, alone and beside {thousands.answered} "
        "large requests, sent one after another",
        lost=f"small p99 {alone.p99 * 1e3:.1f} ms alone, {mixed.p99 * 1e3:.1f} ms mixed: "
        f"{ratio:.1f} times; {mixed.failed + thousands.failed} failed",
        promise="small p99 within 3 times; none failed",
        held=ratio <= 3 and not mixed.failed and not thousands.failed,
    )
