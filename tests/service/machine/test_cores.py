from __future__ import annotations

import os
from pathlib import Path

import pytest
from valence.service.machine import cores


@pytest.fixture
def groups(tmp_path, monkeypatch) -> Path:
    """A machine of 8 cores, whose control groups a test writes."""
    own = tmp_path / "own"
    own.write_text("12:cpuset:/\n0::/pod/container\n")
    monkeypatch.setattr(cores, "_GROUPS", tmp_path)
    monkeypatch.setattr(cores, "_OWN_GROUP", own)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "pod/container").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 8),
        ({"pod/container/cpu.max": "max 100000\n"}, 8),
        ({"pod/container/cpu.max": "300000 100000\n"}, 3),
        ({"pod/container/cpu.max": "350000 100000\n", "pod/cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu.max": "nonsense"}, 8),
    ],
)
def test_cores_are_those_that_all_groups_grant(groups, files, count):
    (groups / "cpu").mkdir()
    for name, content in files.items():
        (groups / name).write_text(content)
    assert cores.count_cores() == count
    assert cores.parse_processes("auto") == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "AUTO", "two"])
def test_another_word_than_a_number_or_auto_is_refused(text):
    with pytest.raises(ValueError, match="give 1 or more, or auto"):
        cores.parse_processes(text)
    assert cores.parse_processes("3") == 3


def test_threads_of_processes_share_the_cores(groups, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with cores.hold_shared_threads(3):
        assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
        assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "7"
