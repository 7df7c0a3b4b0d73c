"""A million requests, one after another, to see what grows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, post
from tests.trials.bench.measure import say
from tests.trials.bench.processes import generator_cpu
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import handles, memory, serve

_MOST_RATIO = 1.05


def run(*, requests: int = 1_000_000) -> Iterator[Finding]:
    """Measure memory, descriptors and threads after a tenth of the requests and after all."""
    os.sched_setaffinity(0, {generator_cpu()})
    bodies = [
        post("/v1/classify", json.dumps({"text": text}).encode())
        for text in texts.sentences(20_000)
    ]
    with serve() as server:
        answered = failed = 0
        first: tuple[int, tuple[int, int]] | None = None
        while answered < requests:
            job = Job(port=server.port, requests=bodies, connections=64, seconds=10.0, warm_up=0.0)
            result = load.run(job)
            answered += result.answered
            failed += result.failed
            if first is None and answered >= requests / 10:
                first = memory(server), handles(server)
            say(f"soak: {answered:,} requests, {memory(server) / 2**20:.0f} MiB")
        last = memory(server), handles(server)
    first = first or last
    ratio = last[0] / first[0]
    yield Finding(
        fault="soak",
        tried=f"{answered:,} one-sentence requests",
        lost=f"{failed} failed; memory {first[0] / 2**20:.0f} to {last[0] / 2**20:.0f} MiB "
        f"({ratio:.3f} times); descriptors {first[1][0]} to {last[1][0]}, threads {first[1][1]} to "
        f"{last[1][1]}",
        promise=f"memory within {_MOST_RATIO} times of that after a tenth; descriptors and threads "
        "constant",
        held=not failed and ratio <= _MOST_RATIO and first[1] == last[1],
    )
