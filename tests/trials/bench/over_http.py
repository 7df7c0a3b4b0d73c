"""Over HTTP: the whole request path, the same model in every server, one core for each side."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from tests.trials.bench import load, serving, texts
from tests.trials.bench.load import Job, Result
from tests.trials.bench.measure import Options, interleave, median, say
from tests.trials.bench.processes import BenchError, Server, generator_cpu, server_cpu
from tests.trials.bench.report import Goal, Section, Table, figure
from tests.trials.bench.serving import Subject

_CONNECTIONS = (1, 16, 64)
_SHARES = (0.25, 0.5, 0.75)
# number of connections that an open loop may use: more than ever wait at a server that keeps up
_OPEN_CONNECTIONS = 128
_SENTENCES = 64
_MANY = f"{_SENTENCES} sentences"
_REVIEW = "a 300-word review"


@dataclass(frozen=True)
class _Figures:
    """Medians over the rounds for one subject in one setting."""

    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float
    tail: float
    failed: float
    lag_ms: float

    @classmethod
    def of(cls, results: Sequence[Result]) -> _Figures:
        asked = sum(result.answered + result.failed for result in results)
        return cls(
            per_second=median([r.per_second for r in results]),
            per_cpu_second=median([r.per_cpu_second for r in results]),
            p50_ms=median([r.p50 * 1e3 for r in results]),
            p99_ms=median([r.p99 * 1e3 for r in results]),
            tail=median([r.p99 / r.p50 for r in results]),
            failed=sum(result.failed for result in results) / asked,
            lag_ms=median([r.lag_p99 * 1e3 for r in results]),
        )


def run(options: Options) -> Section:
    """Measure every server in every setting."""
    ones = texts.sentences(2_000)
    reviews = texts.reviews(100)
    several = [ones[start : start + _SENTENCES] for start in range(0, 1_280, _SENTENCES)]
    subjects = (serving.VALENCE, serving.ECHO, serving.MOUNTED_ECHO, *serving.PEERS)
    with contextlib.ExitStack() as stack:
        servers: dict[Subject, Server] = {}
        for subject in subjects:
            say(f"  starting {subject.name}")
            servers[subject] = stack.enter_context(serving.serve(subject, cpus={server_cpu()}))
        generator = stack.enter_context(_generator())

        def measure(
            jobs: dict[tuple[str, str], tuple[Subject, Job]],
        ) -> dict[tuple[str, str], _Figures]:
            def asking(subject: Subject, job: Job) -> Callable[[], Result]:
                job = replace(job, port=servers[subject].port, pids=servers[subject].pids())
                return lambda: generator.submit(load.run, job).result()

            asked = {key: asking(subject, job) for key, (subject, job) in jobs.items()}
            taken = interleave(asked, rounds=options.rounds)
            return {key: _Figures.of(results) for key, results in taken.items()}

        def job(requests: Sequence[bytes], connections: int, **more: object) -> Job:
            return Job(
                port=0, requests=requests, connections=connections, seconds=options.seconds, **more
            )  # type: ignore[arg-type]

        closed = {}
        for count in _CONNECTIONS:
            say(f"  one sentence a request, {count} connections")
            closed |= measure(
                {
                    (s.name, str(count)): (s, job([s.one(text) for text in ones], count))
                    for s in subjects
                }
            )
        say("  many sentences and long texts")
        bulk = measure(
            {
                (s.name, _MANY): (s, job([s.many(texts) for texts in several], 4))
                for s in subjects
                if s.many
            }
            | {
                (s.name, _REVIEW): (s, job([s.one(text) for text in reviews], 16))
                for s in subjects
                if s.many
            }
        )
        open_loop = {}
        for spacing, shares in (("poisson", _SHARES), ("even", (0.5,))):
            say(f"  open loop, {spacing} arrivals")
            open_loop |= measure(
                {
                    (s.name, f"{share:.0%} {spacing}"): (
                        s,
                        job(
                            [s.one(text) for text in ones],
                            _OPEN_CONNECTIONS,
                            rate=share * closed[s.name, "64"].per_second,
                            spacing=spacing,
                        ),
                    )
                    for s in subjects
                    for share in shares
                }
            )
    return _section(subjects, closed, bulk, open_loop)


def _section(
    subjects: Sequence[Subject],
    closed: dict[tuple[str, str], _Figures],
    bulk: dict[tuple[str, str], _Figures],
    open_loop: dict[tuple[str, str], _Figures],
) -> Section:
    names = [subject.name for subject in subjects]
    settings = [str(count) for count in _CONNECTIONS]
    throughput = Table(
        ["requests per CPU-second (requests/s)", *(f"{count} connections" for count in settings)],
        [
            [name]
            + [
                f"{figure(closed[name, c].per_cpu_second)} ({figure(closed[name, c].per_second)})"
                for c in settings
            ]
            for name in names
        ],
        note="Closed loop, one sentence per request:",
    )
    latency = Table(
        ["p50 / p99, ms", *(f"{count} connections" for count in settings)],
        [[name] + [_latency(closed[name, c]) for c in settings] for name in names],
    )
    documents = Table(
        [
            "documents/s (p50 / p99 of a request, ms)",
            f"{_MANY}, 4 connections",
            f"{_REVIEW}, 16 connections",
        ],
        [
            [
                subject.name,
                *(
                    f"{figure(factor * bulk[subject.name, kind].per_second)} "
                    f"({_latency(bulk[subject.name, kind])})"
                    for kind, factor in ((_MANY, _SENTENCES), (_REVIEW, 1))
                ),
            ]
            for subject in subjects
            if subject.many
        ],
        note="Closed loop, larger requests:",
    )
    kinds = [*(f"{share:.0%} poisson" for share in _SHARES), "50% even"]
    opened = Table(
        ["p50 / p99, ms, at a share of its own peak", *(_kind(kind) for kind in kinds)],
        [
            [name]
            + [
                _latency(open_loop[name, k])
                + (f", {open_loop[name, k].failed:.1%} failed" if open_loop[name, k].failed else "")
                for k in kinds
            ]
            for name in names
        ],
        note="Open loop, one sentence per request; a latency counts from the time when the request "
        "was due. The peak is the rate of the closed loop at 64 connections. Random arrivals are a "
        "Poisson process; with it even an ideal server of constant service time has a p99 of about "
        "four times its p50 at half load:",
    )
    lag = max(value.lag_ms for value in open_loop.values())
    failed = {key: value.failed for key, value in (closed | bulk).items() if value.failed}
    if failed:
        raise BenchError(f"servers refused requests of a closed loop: {failed}")
    text = (
        "The sentiment model in every server, each started as in its documentation, one worker, "
        f"pinned to core {server_cpu()}; the load generator is pinned to core {generator_cpu()}. "
        "CPU-seconds are those of the server's whole process tree. Peers run "
        "`torch.nn.LSTM` in fp32 with one thread and use Valence's tokenizer. In the open loops "
        f"the generator itself was at most {figure(lag)} ms late (p99 of its own delay, median "
        "of rounds, worst setting)."
    )
    if os.cpu_count() == 1:
        text += " There is only one core: both share it, and latencies include the generator."
    return Section(
        "Over HTTP", text, [throughput, latency, documents, opened], _goals(closed, open_loop)
    )


def _goals(
    closed: dict[tuple[str, str], _Figures], open_loop: dict[tuple[str, str], _Figures]
) -> list[Goal]:
    ours = serving.VALENCE.name

    def ratio(peer: Subject) -> float:
        return closed[ours, "64"].per_cpu_second / closed[peer.name, "64"].per_cpu_second

    goals = [
        Goal(f"requests per CPU-second at 64 connections, over {what}", wanted, ratio(peer))
        for what, peer, wanted in (
            ("the echo through the same stack", serving.ECHO, 0.65),
            ("an echo by Starlette mounted in BentoML", serving.MOUNTED_ECHO, 0.65),
            ("the BentoML idiom", serving.IDIOM, 9.0),
            ("LitServe", serving.LITSERVE, 5.0),
            ("FastAPI with eager torch", serving.FASTAPI, 4.0),
        )
    ]
    for count in map(str, _CONNECTIONS):
        best = min(closed[peer.name, count].p99_ms for peer in serving.PEERS)
        goals.append(
            Goal(
                f"p99 at {count} connections, over the best peer's",
                1.0,
                closed[ours, count].p99_ms / best,
                at_least=False,
            )
        )
    goals += [
        Goal(
            f"p99 over p50, open loop at half of its peak, {spacing} arrivals",
            4.0,
            open_loop[ours, f"50% {spacing}"].tail,
            at_least=False,
        )
        for spacing in ("even", "poisson")
    ]
    return goals


def _latency(figures: _Figures) -> str:
    return f"{figure(figures.p50_ms)} / {figure(figures.p99_ms)}"


def _kind(kind: str) -> str:
    share, _, spacing = kind.partition(" ")
    return f"{share}, {'random' if spacing == 'poisson' else 'even'} arrivals"


@contextlib.contextmanager
def _generator():
    """Yield a process that runs jobs, pinned to its own core."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, mp_context=spawn, initializer=_pin, initargs=(generator_cpu(),)
    ) as pool:
        yield pool


def _pin(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})
