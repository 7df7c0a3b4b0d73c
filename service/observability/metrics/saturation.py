"""How full a worker is: one number for autoscalers, which rises before answers become slow.

Threads limit a worker. The event loop's thread reads, tokenizes and computes small batches, the
engine's thread computes large ones. The worker is full when one of them never rests.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

# Long enough to even out the arrivals of requests, and short beside the time between two scrapes,
# which delays an autoscaler too.
WINDOW_SECONDS = 5.0
# Refusals that another replica would have spared: no limit of the client itself caused them.
REASONS = frozenset({"overloaded", "too-many-connections"})


class ThreadClock:
    """The seconds in which a thread ran or waited for a processor.

    The wait counts, because a thread on a crowded node cannot run more, though it runs little.
    Where the kernel does not tell, the processor time of the whole process stands in.
    """

    def __init__(self, thread: int) -> None:
        self._descriptor: int | None = None
        try:
            # it stays open: a full server cannot open files
            self._descriptor = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
            self.seconds()
        except (OSError, ValueError):
            self._descriptor = None

    def seconds(self) -> float:
        """The seconds since the thread began."""
        if self._descriptor is None:
            return time.process_time()
        ran, waited, _ = os.pread(self._descriptor, 100, 0).split()
        return (int(ran) + int(waited)) / 1e9


class _Sample(NamedTuple):
    time: float
    busy: tuple[float, ...]
    answered: int
    refused: int


class Saturation:
    """The saturation of a worker: the busy share of its busiest thread plus the refused share.

    Both are means over the last :data:`WINDOW_SECONDS`. The sum is 0 for an idle worker, 1 for one
    that is full, and up to 2 for one that refuses.
    """

    def __init__(self, threads: Sequence[int]) -> None:
        self._clocks = [ThreadClock(thread) for thread in threads]
        self._samples: deque[_Sample] = deque()

    def measure(self, *, answered: int, refused: int) -> float:
        """The saturation, from the requests answered and refused so far; 0 at the first call."""
        busy = tuple(clock.seconds() for clock in self._clocks)
        now = _Sample(time.perf_counter(), busy, answered, refused)
        samples = self._samples
        samples.append(now)
        # the first one is as old as the window: a loop that hung longer has been busy
        while len(samples) > 2 and samples[1].time <= now.time - WINDOW_SECONDS:
            samples.popleft()
        first = samples[0]
        seconds = now.time - first.time
        if not seconds:
            return 0.0
        busiest = max(after - before for before, after in zip(first.busy, now.busy, strict=True))
        refusals = refused - first.refused
        requests = answered - first.answered + refusals
        return min(busiest / seconds, 1.0) + (refusals / requests if requests else 0.0)
