"""What all processes of a server together take: processor time, memory, open files.

The client library has these metrics for the process that answers a scrape. Of several workers that
would be another one each time, and a counter that goes back and forth.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

_PROC = Path("/proc")
# how often to read again when a process has ended meanwhile
_TRIES = 3


class _State(NamedTuple):
    """The fields of proc(5), in ticks and bytes; ``ended_ticks`` are those of ended children."""

    ticks: int
    ended_ticks: int
    started_ticks: int
    virtual_bytes: int
    resident_bytes: int
    files: int


class ServerProcesses:
    """Collects the metrics of the process ``first`` and of its children, the workers.

    The processor time of workers that have ended stays. The start is that of the newest worker,
    so it changes when one is replaced. Where the system has no ``/proc``, there are no families.
    """

    def __init__(self, first: int) -> None:
        self._first = first

    def collect(self) -> Iterator[Metric]:
        """All families, with the names and meanings of the client library."""
        try:
            first, workers = self._read()
            booted = _read_boot_time()
        except (OSError, ValueError, IndexError):
            return
        everyone = (first, *workers)
        ticks = sum(state.ticks + state.ended_ticks for state in everyone)
        second = os.sysconf("SC_CLK_TCK")
        yield CounterMetricFamily(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            value=ticks / second,
        )
        newest = max(state.started_ticks for state in workers or (first,))
        for name, meaning, value in (
            (
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                sum(state.virtual_bytes for state in everyone),
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                sum(state.resident_bytes for state in everyone),
            ),
            (
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
                booted + newest / second,
            ),
            (
                "process_open_fds",
                "Number of open file descriptors.",
                sum(state.files for state in everyone),
            ),
            (
                "process_max_fds",
                "Maximum number of open file descriptors.",
                resource.getrlimit(resource.RLIMIT_NOFILE)[0] * len(everyone),
            ),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)

    def _read(self) -> tuple[_State, Sequence[_State]]:
        for _ in range(_TRIES):
            before = _read_state(self._first)
            workers = _read_workers(self._first)
            first = _read_state(self._first)
            # a worker that ended between the two would count twice or not at all
            if first.ended_ticks == before.ended_ticks:
                break
        return first, workers


def _read_workers(first: int) -> Sequence[_State]:
    workers = []
    for child in (_PROC / f"{first}/task/{first}/children").read_text().split():
        try:
            workers.append(_read_state(int(child)))
        except FileNotFoundError:
            # it has just been reaped
            continue
    return workers


def _read_state(process: int) -> _State:
    folder = _PROC / str(process)
    # the name of the program, in parentheses, may have spaces
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    try:
        files = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        # a worker that has ended, and is not reaped yet
        files = 0
    return _State(
        ticks=int(fields[11]) + int(fields[12]),
        ended_ticks=int(fields[13]) + int(fields[14]),
        started_ticks=int(fields[19]),
        virtual_bytes=int(fields[20]),
        resident_bytes=int(fields[21]) * resource.getpagesize(),
        files=files,
    )


def _read_boot_time() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise ValueError("no time of the boot")
