"""Tables for engines of data, and the processes of this machine that such an engine runs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.tiny_models import WORDS

EXACT = "native-avx2-int16"
"""The engine whose probabilities do not depend on which texts are computed together."""
SECONDS = 600


def require_exact() -> str:
    """The engine ``EXACT``; skips the test on a processor without it."""
    from valence.service.inference.engines.native import available_paths

    if EXACT.removeprefix("native-") not in available_paths():
        pytest.skip(f"this processor has no {EXACT}")
    return EXACT


def make_table(rows: int) -> pa.Table:
    """Rows with a key and a text of 0 to 30 words; each 50th text is null."""
    random = np.random.default_rng(0)
    ends = np.cumsum(random.integers(0, 31, rows))
    words = np.array(WORDS[1:])[random.integers(0, len(WORDS) - 1, int(ends[-1]))].tolist()
    starts = [0, *ends[:-1].tolist()]
    texts = [
        None if row % 50 == 7 else " ".join(words[start:end])
        for row, (start, end) in enumerate(zip(starts, ends.tolist(), strict=True))
    ]
    return pa.table({"key": pa.array(range(rows), pa.int64()), "text": texts})


def assert_equal_scores(found: pa.Table, expected: pa.Table) -> None:
    """The rows, and every column of the scores, bit for bit."""
    assert found.num_rows == expected.num_rows
    for name in expected.column_names:
        left, right = (table.column(name).combine_chunks() for table in (found, expected))
        assert left.equals(right), name


def find_processes(mark: str, *, within: int | None = None) -> list[int]:
    """The processes whose command has ``mark``, and that descend from ``within``."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        pid = int(path.name)
        if mark in command and (within is None or within in _list_ancestors(pid)):
            found.append(pid)
    return found


def kill_one(find: Callable[[], Sequence[int]], *, when: Callable[[], bool]) -> int:
    """Kill -9 one of the processes that ``find`` gives, as soon as ``when`` holds."""
    wait_until(when)
    (pid, *_) = find()
    os.kill(pid, signal.SIGKILL)
    return pid


def find_free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; fails the test if it never does."""
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.02)


def _list_ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(pid)
    return found
