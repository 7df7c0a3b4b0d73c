"""Memory of the servers' processes after work."""

from __future__ import annotations

import functools
import operator

from tests.trials.bench import load, serving, texts
from tests.trials.bench.load import Job
from tests.trials.bench.measure import Options, interleave, median, say
from tests.trials.bench.processes import Memory, server_cpu
from tests.trials.bench.report import Goal, Section, Table
from tests.trials.bench.serving import Subject

_MEBIBYTE = 2**20
# enough time for the slowest server to answer its 64 long reviews several times
_SECONDS = 4.0


def run(options: Options) -> Section:
    """Serve the same texts from each server in turn and measure its processes."""
    ones = texts.sentences(2_000)
    reviews = texts.reviews(64)

    def working(subject: Subject) -> list[Memory]:
        say(f"  {subject.name}")
        with serving.serve(subject, cpus={server_cpu()}) as server:
            load.run(Job(server.port, [subject.one(text) for text in ones], 16, _SECONDS))
            if subject.many:
                for several in (ones[:64], reviews):
                    load.run(Job(server.port, [subject.many(several)], 2, _SECONDS))
            return server.memory()

    subjects = (serving.EMPTY, serving.VALENCE, *serving.PEERS)
    taken = interleave(
        {s.name: functools.partial(working, s) for s in subjects}, rounds=min(options.rounds, 2)
    )
    rows = []
    worker: dict[str, float] = {}
    peak: dict[str, float] = {}
    for name, rounds in taken.items():
        trees = [functools.reduce(operator.add, processes) for processes in rounds]
        worker[name] = median([processes[0].rss for processes in rounds]) / _MEBIBYTE
        peak[name] = median([tree.peak for tree in trees]) / _MEBIBYTE
        rows.append(
            [
                name,
                f"{worker[name]:.0f}",
                *(
                    f"{median([getattr(tree, kind) for tree in trees]) / _MEBIBYTE:.0f}"
                    for kind in ("rss", "pss", "uss", "peak")
                ),
                str(len(rounds[0])),
            ]
        )
    table = Table(
        ["MiB", "worker RSS", "tree RSS", "tree PSS", "tree USS", "tree peak", "processes"], rows
    )
    text = (
        "After one-sentence requests at 16 connections, and requests of 64 sentences and of 64 "
        "reviews of 300 words at 2. The worker is the largest process. RSS counts a shared page in "
        "every process that maps it, PSS counts its share, USS counts only private pages. The peak "
        "is the sum of the highest RSS of all processes. Valence has both models loaded with their "
        "gate tables, each peer one model."
    )
    ours, empty = serving.VALENCE.name, serving.EMPTY.name
    goals = [
        Goal(
            "worker memory beyond a BentoML service without a model",
            160.0,
            worker[ours] - worker[empty],
            unit=" MiB",
            at_least=False,
        ),
        Goal("peak memory of serving", 600.0, peak[ours], unit=" MiB", at_least=False),
    ]
    return Section("Memory of serving", text, [table], goals)
