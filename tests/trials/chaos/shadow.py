"""A challenger scores every text too: what that costs, changes, and takes from an overload.

Two servers with both versions in memory run side by side, one of them with shadow scoring. One has
requests at a time, in turn, so that other load on the machine meets both.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from valence.training.shadow.evidence import Evidence, sum_evidence

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, post
from tests.trials.bench.measure import median, say
from tests.trials.bench.processes import Server, generator_cpu
from tests.trials.chaos import flood
from tests.trials.chaos.clients import Clients, right_answers
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import serve
from tests.trials.chaos.swap import MODEL, add_version

_SETTINGS = {"VALENCE_MODELS": MODEL, "VALENCE_RELOAD_SECONDS": "0.2"}
_SHADOWED = {**_SETTINGS, "VALENCE_SHADOW": f"{MODEL}=challenger:1"}
_ROUNDS = 3
# of the peak: there is room to score each text twice
_CALM = 0.25
_TIMES = 3
_MOST_CONNECTIONS = 512
_LEAST_SHADOWED = 0.9
_LEAST_GOODPUT = 0.95
# the last texts of a window are scored after it
_SETTLE_SECONDS = 1.5


def run(*, seconds: float = 8.0) -> Iterator[Finding]:
    """Compare a server that scores each text twice with one that does not."""
    sentences = texts.sentences(2_000)
    os.sched_setaffinity(0, {generator_cpu()})
    with (
        serve(settings=_SETTINGS, prepare=_prepare) as plain,
        serve(settings=_SHADOWED, prepare=_prepare) as shadowed,
    ):
        trial = _Trial(plain, shadowed, sentences, seconds)
        yield trial.cost()
        yield trial.answers()
        yield trial.overload()


def _prepare(models: Path) -> None:
    store = add_version(models)
    store.name(store.versions[1], "challenger")


class _Trial:
    """Both servers, and the requests that they are sent."""

    def __init__(
        self, plain: Server, shadowed: Server, sentences: Sequence[str], seconds: float
    ) -> None:
        self._servers = (plain, shadowed)
        self._sentences = sentences
        self._seconds = seconds
        self._bodies = [
            post("/v1/classify", json.dumps({"text": text}).encode()) for text in sentences
        ]
        self._peak = self._load(plain, None).per_second
        self._load(shadowed, None)

    def cost(self) -> Finding:
        """Compare the processor time of a request while there is room for each text."""
        rate = _CALM * self._peak
        before = self._evidence()
        pairs = []
        for number in range(_ROUNDS):
            pairs.append([self._load(server, rate) for server in self._servers])
            plain, shadowed = pairs[-1]
            say(
                f"round {number + 1}: {1e6 / plain.per_cpu_second:.0f} and "
                f"{1e6 / shadowed.per_cpu_second:.0f} µs a request"
            )
        after = self._evidence()
        answered = sum(shadowed.answered + shadowed.failed for _, shadowed in pairs)
        # the warm-up of a window has requests too, which are scored twice as well
        chosen = after.texts + after.dropped - before.texts - before.dropped
        share = (after.texts - before.texts) / max(chosen, 1)
        ratio = median([p.per_cpu_second / s.per_cpu_second for p, s in pairs])
        tails = [median([pair[number].p99 for pair in pairs]) * 1e3 for number in (0, 1)]
        engine = after.time_ratio or float("nan")
        return Finding(
            fault="every text scored by a challenger too",
            tried=f"{rate:,.0f} requests/s, a quarter of the peak, {_ROUNDS} windows of "
            f"{self._seconds:g} s in turn with a server without shadow scoring: {answered:,} "
            "requests",
            lost=f"{share:.1%} scored twice; processor time of a request {ratio:.2f} times that "
            f"without; p99 {tails[1]:.2f} ms, without {tails[0]:.2f} ms; engine time of the "
            f"challenger {engine:.2f} times",
            promise=f"at least {_LEAST_SHADOWED:.0%} scored twice; processor time at most "
            "1 + that share",
            held=share >= _LEAST_SHADOWED and ratio <= 1 + share,
        )

    def answers(self) -> Finding:
        """Compare the answers, and whether each has the version that is served."""
        plain, shadowed = self._servers
        clients = Clients(shadowed.port, right_answers(plain.port, self._sentences[:200]))
        time.sleep(self._seconds)
        clients.stop()
        seen = ", ".join(f"{count:,} {what}" for what, count in sorted(clients.seen.items()))
        return Finding(
            fault="answers beside shadow scoring",
            tried=f"{sum(clients.seen.values()):,} requests, compared with the answers of a server "
            "without",
            lost=seen or "none",
            promise="all right",
            held=set(clients.seen) == {"right"},
        )

    def overload(self) -> Finding:
        """Compare the goodput of a flood."""
        rate = _TIMES * self._peak
        before = self._evidence()
        waves = []
        for number in range(_ROUNDS):
            waves.append([self._flood(server, rate) for server in self._servers])
            plain, shadowed = waves[-1]
            say(f"flood {number + 1}: {plain.goodput:,.0f} and {shadowed.goodput:,.0f} /s")
        after = self._evidence()
        twice, dropped = after.texts - before.texts, after.dropped - before.dropped
        goodput = sum(s.goodput for _, s in waves) / sum(p.goodput for p, _ in waves)
        answered = sum(shadowed.statuses[200] for _, shadowed in waves)
        unanswered = sum(wave.unanswered for pair in waves for wave in pair)
        return Finding(
            fault="overload beside shadow scoring",
            tried=f"{_TIMES} times the peak, {self._peak:,.0f}/s, for {self._seconds:g} s, "
            f"{_ROUNDS} times in turn with a server without shadow scoring",
            lost=f"of {answered:,} texts answered {twice:,} scored twice, {dropped:,} dropped; "
            f"goodput {goodput:.1%} of that without; {unanswered} unanswered",
            promise=f"goodput >= {_LEAST_GOODPUT:.0%}; most texts dropped; none unanswered",
            held=goodput >= _LEAST_GOODPUT and dropped > twice and not unanswered,
        )

    def _load(self, server: Server, rate: float | None) -> load.Result:
        result = load.run(
            Job(
                port=server.port,
                requests=self._bodies,
                connections=64,
                seconds=self._seconds,
                rate=rate,
                spacing="poisson",
                pids=server.pids(),
            )
        )
        time.sleep(_SETTLE_SECONDS)
        return result

    def _flood(self, server: Server, rate: float) -> flood.Flood:
        wave = flood.run(
            server.port,
            self._bodies,
            due=flood.steady(rate),
            seconds=self._seconds,
            most_connections=_MOST_CONNECTIONS,
        )
        time.sleep(_SETTLE_SECONDS)
        return wave

    def _evidence(self) -> Evidence:
        port = self._servers[1].port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            report = sum_evidence(MODEL, [answer.read().decode()])
        (pair,) = report.pairs
        return pair
