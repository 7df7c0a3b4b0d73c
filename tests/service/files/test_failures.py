from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from valence.service.errors import ConfigurationError
from valence.service.files.failures import (
    describe_failure,
    exit_in_one_line,
    find_failure,
)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EROFS, "read-only; choose another folder"),
        (errno.EACCES, "change the permissions"),
        (errno.EISDIR, "give the path of a file"),
        (errno.ENOENT, "does not exist"),
    ],
)
def test_a_failure_names_path_and_remedy(tmp_path, code, told):
    said = describe_failure(OSError(code, os.strerror(code), str(tmp_path)))
    assert said.startswith(f"{tmp_path}: {os.strerror(code)}: ")
    assert told in said


def test_the_failure_behind_an_error_of_a_library_is_found(tmp_path):
    with pytest.raises(safetensors.SafetensorError) as caught:
        safetensors.numpy.save_file({"a": np.zeros(2)}, tmp_path / "missing" / "a")
    assert find_failure(caught.value).errno == errno.ENOENT
    path = tmp_path / "a.db"
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert find_failure(caught.value).errno == errno.EACCES
    wrapped = ValueError("wrapped")
    wrapped.__cause__ = OSError(errno.ENOSPC, "full")
    assert find_failure(wrapped).errno == errno.ENOSPC


def test_a_fault_of_the_program_is_no_failure_of_the_system():
    """An error while another one is handled is one of its own."""
    fault = KeyError("a")
    fault.__context__ = FileNotFoundError(errno.ENOENT, "absent")
    assert find_failure(fault) is None
    with pytest.raises(KeyError), exit_in_one_line():
        raise fault


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigurationError("a is wrong"), "error: a is wrong\n"),
        (PermissionError(errno.EACCES, "x", "/a"), "error: /a: Permission denied: this user"),
    ],
)
def test_an_expected_error_ends_with_1_and_one_line(capsys, error, told):
    with pytest.raises(SystemExit) as ended, exit_in_one_line():
        raise error
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("\n") == 1


@pytest.mark.parametrize("module", ["valence.training", "valence.service.keys"])
def test_an_output_that_is_full_ends_with_1(module):
    command = [sys.executable, "-m", module, *(["keys"] if module.endswith("training") else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "new", "name"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device")
    assert done.stderr.count("\n") == 1
