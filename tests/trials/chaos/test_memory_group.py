import os
import subprocess
import sys

import pytest

from tests.trials.chaos import memory_group
from tests.trials.chaos.memory_group import MemoryGroup

VERSION_1 = "9:name=systemd:/\n4:memory:/a/b\n0::/\n"
VERSION_2 = "0::/user.slice/session.scope\n"


@pytest.mark.parametrize(
    ("groups", "folder", "name"),
    [
        (VERSION_1, "memory/a/b", "memory.limit_in_bytes"),
        (VERSION_2, "user.slice", "memory.max"),
        ("0::/\n", "", "memory.max"),
    ],
)
def test_a_group_is_where_its_limit_can_be_set(tmp_path, groups, folder, name):
    found = memory_group._find_parent(groups, tmp_path / "mount")
    assert found == ((tmp_path / "mount" / folder) if folder else tmp_path, name)


@pytest.mark.parametrize("name", ["memory.oom_control", "memory.events"])
def test_the_kernels_count_of_kills_is_read(tmp_path, name):
    (tmp_path / name).write_text("under_oom 0\noom_kill 3\n")
    assert MemoryGroup(tmp_path).kills() == 3


def test_a_process_over_the_limit_is_killed():
    """Where this user may make a group."""
    try:
        with memory_group.limit_memory(64 * 2**20) as group:
            command = [sys.executable, "-c", "bytearray(100 * 2**20)"]
            done = subprocess.run(group.wrap(command), check=False)
            assert done.returncode == -9
            assert group.kills() == 1
            folder = group.folder
    except OSError as error:
        pytest.skip(f"no control group: {error}")
    assert not folder.exists()
    assert str(os.getpid()) in folder.name
