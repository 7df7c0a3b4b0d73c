"""Whatever file operation fails, the output before stays, and the same command then completes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from valence.service.score import __main__ as command

from tests.support.failing_files import failing_files
from tests.support.tables import read_rows, write_table

ROWS = [{"id": str(number), "text": "good " * (number % 5)} for number in range(20)]
BEFORE = "what was there before\n"
SCRIPT = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, "")
from tests.support.tiny_models import CountingEngine, save_tiny_model
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.score import __main__ as command
from valence.service.score import run
from valence.service.score.options import Options
from valence.service.score.texts import TextScorer
source, folder, name = sys.argv[1:]
classifier = Classifier(artifact.load(save_tiny_model(Path(folder) / "sentiment")))
scorer = TextScorer(classifier, CountingEngine())
def score(arguments):
    source, out = Path(arguments.source), Path(arguments.out)
    options = Options("text", "csv", out.suffix[1:], "utf-8", part_rows=8)
    run.score_file(source, out, scorer=scorer, options=options)
command._run = score
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for size in [*range(0, 4000, 500), resource.RLIM_INFINITY]:
    out = Path(folder, f"{size}-{name}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    out.write_text("before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        command.main([source, str(out)])
        print(size, "done", flush=True)
    except SystemExit as ended:
        print(size, ended.code, out.read_text() == "before", flush=True)
"""


@pytest.fixture
def run(score, monkeypatch, capfd):
    """Return a function that runs the command with the tiny model; it returns code and errors."""

    def run(source, out, *given) -> tuple[int, str]:
        def score_arguments(arguments):
            score(Path(arguments.source), Path(arguments.out))

        monkeypatch.setattr(command, "_run", score_arguments)
        try:
            command.main([str(source), str(out), *given])
        except SystemExit as ended:
            return int(ended.code), capfd.readouterr().err
        return 0, capfd.readouterr().err

    return run


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *((name, errno.ENOSPC) for name in ("out.csv", "out.jsonl.gz", "out.parquet")),
        *(("out.csv", code) for code in (errno.EACCES, errno.EROFS, errno.EIO)),
    ],
)
def test_no_failed_operation_loses_anything(run, score, tmp_path, name, code):
    source = write_table(tmp_path / "in.csv", ROWS)
    score(source, tmp_path / f"whole-{name}")
    whole = (tmp_path / f"whole-{name}").read_bytes()
    failed = 0
    for at in range(1, 1_000):
        folder = tmp_path / f"run-{at}"
        folder.mkdir()
        out = folder / name
        out.write_text(BEFORE)
        with failing_files(folder, code) as files:
            files.at = at
            exit_code, said = run(source, out)
        if files.count < at:
            break
        if exit_code == 0:
            # a folder that exists need not be made
            assert out.read_bytes() == whole, at
            continue
        failed += 1
        assert exit_code == 1, at
        assert said.count("\n") == 1, said
        assert said.startswith(f"error: {folder}"), said
        assert os.strerror(code) in said
        # the last operations delete the parts of an output that is complete
        assert out.read_bytes() in (BEFORE.encode(), whole), at
        assert run(source, out) == (0, "")
        assert out.read_bytes() == whole, at
        assert {path.name for path in folder.iterdir()} == {name}, at
    assert failed > 10
    assert (exit_code, out.read_bytes()) == (0, whole)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_full_disk_is_one_line_and_the_output_stays(tmp_path, name):
    """The system itself refuses to write more, at a size from nothing to the whole output."""
    source = write_table(tmp_path / "in.csv", ROWS)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source), str(tmp_path), name],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["0 1 True", "500 1 True"]
    assert lines[-1] == "-1 done"
    failures = [line for line in lines if not line.endswith("done")]
    assert all(line.endswith(" 1 True") for line in failures)
    told = done.stderr.splitlines()
    assert len(told) == len(failures)
    assert all("File too large" in line and "ulimit -f" in line for line in told)
    assert len(read_rows(tmp_path / f"-1-{name}")) == len(ROWS)
