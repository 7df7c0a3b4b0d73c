"""Workers that are stopped by a signal: they neither end nor answer."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import psutil

from tests.trials.bench.processes import Server, answers
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import serve

_HUNG_SECONDS = 2.0
_GRACE_SECONDS = 2.0
# the time of a heartbeat that is late, of another start, and of the end of the first process
_REPLACE_SECONDS = _HUNG_SECONDS + 10.0
_END_SECONDS = _GRACE_SECONDS + 3.0


def run(*, times: int = 5) -> Iterator[Finding]:
    """Stop the worker in the middle of its work, and stop it again before SIGTERM."""
    yield _replace(times)
    yield _terminate(times)


def _replace(times: int) -> Finding:
    longest = 0.0
    same = 0
    for _ in range(times):
        with serve(settings={"VALENCE_HUNG_SECONDS": str(_HUNG_SECONDS)}) as server:
            stopped = _stop_worker(server)
            begun = time.perf_counter()
            while time.perf_counter() - begun < 2 * _REPLACE_SECONDS:
                # another worker may be ready meanwhile
                if not stopped.is_running() and answers(server.port, "/readyz"):
                    break
                time.sleep(0.05)
            longest = max(longest, time.perf_counter() - begun)
            same += stopped.is_running()
    return Finding(
        fault="a worker is stopped (kill -STOP)",
        tried=f"{times} times, with VALENCE_HUNG_SECONDS={_HUNG_SECONDS:g}",
        lost=f"{same} workers not replaced; ready again within {longest:.1f} s",
        promise=f"each replaced; ready within {_REPLACE_SECONDS:g} s",
        held=not same and longest <= _REPLACE_SECONDS,
    )


def _terminate(times: int) -> Finding:
    longest = 0.0
    left = 0
    statuses: Counter[int | None] = Counter()
    settings = {
        "VALENCE_HUNG_SECONDS": "60",
        "VALENCE_GRACE_SECONDS": str(_GRACE_SECONDS),
    }
    for _ in range(times):
        with serve(settings=settings) as server:
            stopped = _stop_worker(server)
            first = psutil.Process(server.pids()[0])
            begun = time.perf_counter()
            first.send_signal(signal.SIGTERM)
            with contextlib.suppress(psutil.TimeoutExpired):
                statuses[first.wait(2 * _END_SECONDS)] += 1
            longest = max(longest, time.perf_counter() - begun)
            left += stopped.is_running()
    return Finding(
        fault="SIGTERM while the worker is stopped",
        tried=f"{times} times, with VALENCE_GRACE_SECONDS={_GRACE_SECONDS:g}",
        lost=f"{left} workers left; ended within {longest:.1f} s; exit statuses {dict(statuses)}",
        promise=f"none left; ended within {_END_SECONDS:g} s with status 1",
        held=not left and longest <= _END_SECONDS and set(statuses) == {1},
    )


def _stop_worker(server: Server) -> psutil.Process:
    """Stop the largest process of the tree: the worker."""
    worker = max(map(psutil.Process, server.pids()), key=lambda process: process.memory_info().rss)
    os.kill(worker.pid, signal.SIGSTOP)
    return worker
