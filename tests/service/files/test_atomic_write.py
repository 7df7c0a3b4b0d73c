"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import atomic_write

from tests.support.failing_files import failing_files


def age(path: Path) -> None:
    """Make ``path`` two hours old."""
    moment = time.time() - 7_200
    os.utime(path, (moment, moment))


@pytest.mark.parametrize("content", ["naïve\n", b"\xff\0"])
def test_a_file_is_replaced_in_a_folder_that_is_made(tmp_path, content):
    path = tmp_path / "a" / "b" / "file.txt"
    atomic_write.write_file(path, "before")
    atomic_write.write_file(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_no_failed_operation_harms_the_file(tmp_path, code):
    for at in range(1, 20):
        path = tmp_path / f"{at}" / "file.txt"
        atomic_write.write_file(path, "before")
        with failing_files(path.parent, code) as files:
            files.at = at
            failed = False
            try:
                atomic_write.write_file(path, "after")
            except OSError as error:
                failed = error.filename is not None
        assert list(path.parent.iterdir()) == [path]
        assert path.read_text() == ("before" if failed else "after")
        if files.count < at:
            break
    assert not failed
    assert at > 3


def test_an_error_of_the_block_leaves_the_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")

    def fail() -> None:
        with atomic_write.replace_file(path) as unfinished:
            unfinished.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_the_user_knows(tmp_path):
    folder, path = tmp_path / "folder", tmp_path / "file.txt"
    folder.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        atomic_write.write_file(folder, "content")
    assert caught.value.filename == str(folder)

    def fail(*path: str) -> None:
        with atomic_write.replace_file(tmp_path / "file.txt"):
            raise OSError(errno.ENOSPC, "full", *path)

    for given, told in (((), str(path)), (("other",), "other")):
        with pytest.raises(OSError, match="full") as caught:
            fail(*given)
        assert caught.value.filename == told


def test_a_path_that_no_file_can_have_is_refused(tmp_path):
    atomic_write.require_path(tmp_path / "new" / "file.txt")
    os.mkfifo(tmp_path / "pipe")
    for path, told in ((tmp_path, "a folder"), (tmp_path / "pipe", "a device or a pipe")):
        with pytest.raises(ConfigurationError, match=f"{path} is {told}; give"):
            atomic_write.require_path(path)


def test_the_file_that_a_link_names_is_replaced(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("before")
    link.symlink_to(target)
    atomic_write.write_file(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"


@pytest.mark.parametrize("name", ["file.txt", "[a]*?.txt"])
def test_a_killed_process_leaves_a_file_for_an_hour(tmp_path, name):
    path = tmp_path / name
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from valence.service.files import atomic_write\n"
        "with atomic_write.replace_file(Path(sys.argv[1])) as unfinished:\n"
        "    unfinished.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    atomic_write.write_file(path, "whole")
    assert left.exists()  # another process may be writing it
    age(left)
    atomic_write.write_file(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_other_files_stay(tmp_path):
    other = tmp_path / ".other.txt.1.unfinished"
    other.write_text("half")
    age(other)
    atomic_write.write_file(tmp_path / "file.txt", "whole")
    assert other.exists()


def test_an_unfinished_folder_ends_with_its_block(tmp_path):
    left = tmp_path / ".unfinished-left"
    (left / "folder").mkdir(parents=True)
    age(left)
    with atomic_write.make_unfinished_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
        (folder / "file.txt").write_text("whole")
        (folder / "file.txt").rename(tmp_path / "file.txt")
    assert list(tmp_path.iterdir()) == [tmp_path / "file.txt"]
