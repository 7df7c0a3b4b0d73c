import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from valence.service.observability import metrics_folder

FIRST_PROCESS = """
from valence.service.observability import metrics_folder
print(metrics_folder.create(), flush=True)
input()
"""


@pytest.fixture(autouse=True)
def variables(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("_VALENCE_METRICS_FOLDER", raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/shared")


def start() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", FIRST_PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_each_server_has_a_folder_that_ends_with_it():
    (first, first_folder), (second, second_folder) = start(), start()
    assert first_folder != second_folder
    assert first_folder.is_dir()
    assert second_folder.is_dir()
    second.communicate("\n")
    assert not second_folder.exists()
    assert first_folder.is_dir()
    first.kill()
    first.communicate()
    # the next server removes what a killed one has left
    third, _ = start()
    assert not first_folder.exists()
    third.communicate("\n")


def test_the_only_worker_keeps_its_values_in_memory():
    assert metrics_folder.enter() is None
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_a_worker_drops_the_gauges_of_its_number(monkeypatch, tmp_path):
    monkeypatch.setenv("_VALENCE_METRICS_FOLDER", str(tmp_path))
    stale = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    counters = tmp_path / f"counter_{os.getpid()}.db"
    stale.touch()
    counters.touch()
    assert metrics_folder.enter() == tmp_path
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path)
    assert metrics_folder.value_files(tmp_path) == [str(counters)]
