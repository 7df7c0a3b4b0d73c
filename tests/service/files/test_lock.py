from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files.lock import hold_lock

COUNT = """
import sys
from pathlib import Path
from valence.service.errors import ConfigurationError
from valence.service.files.lock import hold_lock
path = Path(sys.argv[1])
added = 0
while added < 200:
    try:
        with hold_lock(path, work="counting"):
            path.write_text(str(int(path.read_text()) + 1))
            added += 1
    except ConfigurationError:
        pass
"""


def test_a_held_lock_is_refused_with_work_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with (
        hold_lock(path, work="at work"),
        pytest.raises(ConfigurationError, match=r"is at work .*; wait for it, or rest$"),
        hold_lock(path, work="at work", remedy="rest"),
    ):
        pass
    with hold_lock(path, work="at work"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_removed_file_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder before removes the lock file between the open and the flock of the next."""
    lock = tmp_path / "run.lock"
    flock, calls = fcntl.flock, []

    def flock_late(file: int, operation: int) -> None:
        if not calls:
            lock.unlink()
        calls.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with hold_lock(tmp_path / "run", work="at work"):
        assert len(calls) == 2
        assert lock.exists()


def test_processes_that_lock_in_turn_lose_no_write(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")
    running = [subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert path.read_text() == "600"
