from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import formats
from valence.service.score import run
from valence.service.score.jobs import Jobs
from valence.service.score.journal import Journal
from valence.service.score.options import Options
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.sources import TablePart

from tests.support.tables import write_table

ROWS = [
    {"number": str(place), "text": f"good movie {place} bad " * (place % 7)} for place in range(50)
]
SECONDS = 300
OUTPUTS = ("out.csv", "out.tsv.gz", "out.jsonl", "out.parquet")
COMMAND = """
import sys
from pathlib import Path
from tests.service.score.test_jobs import score_by_jobs
from valence.service.score.recipe import ScorerRecipe
if __name__ == "__main__":
    score_by_jobs(*map(Path, sys.argv[1:]), tell=sys.stderr.write)
"""


def score_by_jobs(
    folder: Path, source: Path, out: Path, *, count: int = 2, advance=lambda *_: None, tell=print
) -> int:
    recipe = ScorerRecipe(folder, "native")
    options = Options(
        "text", formats.require_format(source), formats.require_output_format(out), part_rows=8
    )
    jobs = Jobs(count, recipe, tell) if count > 1 else None
    tally = run.score_file(
        source, out, scorer=recipe.make(), options=options, jobs=jobs, advance=advance
    )
    return tally.rows


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="jobs are found in /proc")


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.01)


def job_processes(parent: int) -> list[int]:
    """The jobs of a process, which are children of the server that it has."""
    return [
        job
        for server in list_children(parent)
        if b"forkserver" in Path(f"/proc/{server}/cmdline").read_bytes()
        for job in list_children(server)
    ]


def list_children(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return list(map(int, children))


PAIRS = [(name, out) for name in ("in.csv", "in.jsonl", "in.parquet") for out in OUTPUTS]
QUICK = {("in.csv", "out.jsonl"), ("in.parquet", "out.parquet")}


@pytest.mark.parametrize(
    ("name", "out"),
    [
        pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow, id="-".join(pair))
        for pair in PAIRS
    ],
)
def test_jobs_write_the_bytes_of_one_process(tiny_folder, tmp_path, name, out):
    source = write_table(tmp_path / name, ROWS)
    told: list[tuple[int, float]] = []
    one, two = tmp_path / f"one-{out}", tmp_path / f"two-{out}"
    assert score_by_jobs(tiny_folder, source, one, count=1) == len(ROWS)
    rows = score_by_jobs(tiny_folder, source, two, advance=lambda *so_far: told.append(so_far))
    assert rows == len(ROWS)
    assert told[-1] == (len(ROWS), 1.0)
    assert two.read_bytes() == one.read_bytes()
    assert not (tmp_path / f"{two.name}.parts").exists()


@needs_proc
def test_a_killed_job_is_told_and_loses_nothing(tiny_folder, tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS * 8)
    score_by_jobs(tiny_folder, source, tmp_path / "one.csv", count=1)
    killed: list[int] = []

    def kill_one(rows: int, _share: float) -> None:
        if rows > 40 and not killed:
            killed.append(job_processes(os.getpid())[0])
            os.kill(killed[0], signal.SIGKILL)

    told: list[str] = []
    score_by_jobs(tiny_folder, source, tmp_path / "two.csv", advance=kill_one, tell=told.append)
    assert killed
    assert told == ["a job was killed; other jobs write what it had not written"]
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert not job_processes(os.getpid())


@pytest.mark.slow
@needs_proc
def test_jobs_that_always_die_end_the_run_which_resumes(tiny_folder, tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS)
    score_by_jobs(tiny_folder, source, tmp_path / "one.csv", count=1)
    out = tmp_path / "two.csv"
    with pytest.raises(ConfigurationError, match=r"3 jobs were killed.*fewer --jobs"):
        run.score_file(
            source,
            out,
            scorer=ScorerRecipe(tiny_folder, "native").make(),
            options=Options("text", "csv", "csv", part_rows=8),
            jobs=Jobs(2, ScorerRecipe(tmp_path / "no model", "native")),
        )
    assert not out.exists()
    score_by_jobs(tiny_folder, source, out)
    assert out.read_bytes() == (tmp_path / "one.csv").read_bytes()


@pytest.mark.slow
@needs_proc
def test_jobs_end_with_a_killed_command_which_resumes(tiny_folder, tmp_path):
    source, out = write_table(tmp_path / "in.csv", ROWS * 40), tmp_path / "two.csv"
    score_by_jobs(tiny_folder, source, tmp_path / "one.csv", count=1)
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    command = subprocess.Popen(
        [sys.executable, str(script), str(tiny_folder), str(source), str(out)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", os.environ.get("PYTHONPATH", "")])},
    )
    try:
        wait_until(Journal(out).find_part(0).exists)
        jobs = job_processes(command.pid)
    finally:
        command.kill()
        command.wait()
    wait_until(lambda: not any(Path(f"/proc/{job}").exists() for job in jobs))
    assert jobs
    assert not out.exists()
    score_by_jobs(tiny_folder, source, out)
    assert out.read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_a_part_of_a_table_is_sent_without_the_rest_of_it():
    table = pa.table({"text": [f"a text of some length {number}" for number in range(10_000)]})
    sent = pickle.dumps(TablePart(table.slice(5_000, 10)))
    assert len(sent) < 2_000
    assert pickle.loads(sent).table.equals(table.slice(5_000, 10))
