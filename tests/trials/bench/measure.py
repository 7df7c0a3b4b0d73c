"""How figures are measured and summarized: interleaved rounds, medians, percentiles."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    rounds: int
    seconds: float
    lines: int = 1_000_000
    against: str | None = None
    gigabytes: float = 10.0


def interleave(
    subjects: Mapping[Key, Callable[[], Value]], *, rounds: int
) -> dict[Key, list[Value]]:
    """Return the values of each subject, one per round.

    With interleaving, other load on the machine affects all subjects equally. Each round begins
    with
    another subject, so that no subject always follows the same one.
    """
    values: dict[Key, list[Value]] = {key: [] for key in subjects}
    order = list(subjects)
    for number in range(rounds):
        shift = number % max(1, len(order))
        for key in order[shift:] + order[:shift]:
            values[key].append(subjects[key]())
    return values


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle values."""
    return float(statistics.median(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ``ordered`` values that is at least as large as ``share``
    of them.
    """
    if not ordered:
        raise ValueError("no values, so no percentile; measure longer")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rate(work: Callable[[], int], *, seconds: float) -> float:
    """Return units per CPU-second of ``work``, which does a fixed amount and returns its units.

    The work is repeated until ``seconds`` are used, at least once. The measure is processor time of
    all threads of this process, not wall-clock time: on a dedicated core both are equal, and other
    programs on the machine then have little influence.
    """
    done = 0
    started = time.process_time()
    while True:
        done += work()
        passed = time.process_time() - started
        if passed >= seconds:
            return done / passed


def say(line: str) -> None:
    """Write a progress message to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
