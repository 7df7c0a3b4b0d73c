"""Time from the command to the first ready answer, with both models, compared with BentoML
alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.trials.bench import serving
from tests.trials.bench.measure import Options, interleave, median, say
from tests.trials.bench.report import Goal, Section, Table, figure
from tests.trials.bench.serving import Subject


def run(options: Options) -> Section:
    """Start each server in turn on all cores, and end it when it is ready."""
    subjects = (serving.EMPTY, serving.VALENCE, *serving.PEERS)

    def starting(subject: Subject) -> Callable[[], float]:
        def seconds() -> float:
            say(f"  {subject.name}")
            with serving.serve(subject, cpus=None) as server:
                return server.ready_seconds

        return seconds

    # one start more than requested: the first one fills the file cache and does not count
    taken = interleave({s.name: starting(s) for s in subjects}, rounds=options.rounds + 1)
    ready = {name: median(values[1:]) for name, values in taken.items()}
    empty = ready[serving.EMPTY.name]
    table = Table(
        ["server", "seconds to ready", "over the empty service"],
        [[name, figure(value), f"{value / empty:.2f}x"] for name, value in ready.items()],
    )
    text = (
        "From the command to the first 200 of the readiness probe, files cached, on "
        f"{len(os.sched_getaffinity(0))} cores. Valence has loaded, verified and warmed up both "
        "models by then; the peers have one model, the empty service has none."
    )
    goal = Goal(
        "time to ready with both models, over a BentoML service without a model",
        1.3,
        ready[serving.VALENCE.name] / empty,
        at_least=False,
    )
    return Section("Time to ready", text, [table], [goal])
