"""How figures are taken and summed up: interleaved rounds, medians, percentiles."""

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
    """What the command line says."""

    rounds: int
    seconds: float
    lines: int = 1_000_000
    against: str | None = None
    gigabytes: float = 10.0


def interleave(
    subjects: Mapping[Key, Callable[[], Value]], *, rounds: int
) -> dict[Key, list[Value]]:
    """Each subject's values, one a round.

    What else the machine does then falls on all subjects alike. Each round begins with another
    subject, so that none always follows the same one.
    """
    values: dict[Key, list[Value]] = {key: [] for key in subjects}
    order = list(subjects)
    for number in range(rounds):
        shift = number % max(1, len(order))
        for key in order[shift:] + order[:shift]:
            values[key].append(subjects[key]())
    return values


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    return float(statistics.median(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ``ordered`` values that at least ``share`` of them do not exceed."""
    if not ordered:
        raise ValueError("no values, so no percentile; measure longer")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rate(work: Callable[[], int], *, seconds: float) -> float:
    """Units a CPU-second of ``work``, which does a fixed amount and says how much.

    Repeated until ``seconds`` are used, at least once. Processor time of all of this process's
    threads, not time on the wall: on a core of its own they are the same, and who else runs on the
    machine then spoils little.
    """
    done = 0
    started = time.process_time()
    while True:
        done += work()
        passed = time.process_time() - started
        if passed >= seconds:
            return done / passed


def say(line: str) -> None:
    """Progress, to who waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
