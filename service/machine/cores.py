"""How many cores this process may use, and the threads of libraries that fit on a share of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# OpenMP, which torch and Arrow read too, and the linear algebra below numpy
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def count_cores() -> int:
    """The whole cores that this process may use, by its affinity and the quota of its group."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:
        # not on macOS
        allowed = os.cpu_count() or 1
    return max(int(min(allowed, _read_quota())), 1)


def parse_processes(text: str) -> int:
    """A number of processes, or ``auto`` for one on each core. Raises ``ValueError``."""
    if text == "auto":
        return count_cores()
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise ValueError(f"{text!r} is not a number of processes: give 1 or more, or auto")
    return count


def share_threads(processes: int) -> None:
    """Have libraries in processes that start from now on use their share of the cores.

    What the environment says already stays.
    """
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(max(count_cores() // processes, 1)))


@contextmanager
def hold_shared_threads(processes: int) -> Iterator[None]:
    """As :func:`share_threads`, for processes that start in a ``with`` block."""
    absent = [name for name in _THREAD_VARIABLES if name not in os.environ]
    share_threads(processes)
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)


def _read_quota() -> float:
    """The cores that control groups of Linux grant, the strictest of all groups above."""
    try:
        entries = dict(line.split(":", 2)[1:] for line in _OWN_GROUP.read_text().splitlines())
    except (OSError, ValueError):
        return float("inf")
    own = entries.get("", "/").strip("/")
    folders = [_GROUPS / own, *(_GROUPS / own).parents]
    quotas = [_read_group(folder) for folder in folders if folder.is_relative_to(_GROUPS)]
    return min([*quotas, _read_old_group(_GROUPS / "cpu")])


def _read_group(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        # "max" is no limit
        return float("inf")


def _read_old_group(folder: Path) -> float:
    """Of version 1 of control groups."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return float("inf")
    return quota / period if quota > 0 and period > 0 else float("inf")
