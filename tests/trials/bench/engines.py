"""Ray and Spark on two cores, beside two jobs of `valence score`.

Each way is a command of its own, from nothing to a complete output. It scores few rows, and then
all of them: the first is its start, and the difference is its work.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests.trials.bench import texts
from tests.trials.bench.measure import Options, median, say
from tests.trials.bench.processes import BenchError
from tests.trials.bench.report import Goal, Section, Table, figure

_FEW = 2_000
_LOOK_SECONDS = 0.2
_ENVIRONMENT = Path(".venv-engines") / "bin" / "python"
# the same engine for all, whose answers do not depend on how batches are cut
_ENGINE = "native-avx2-int16"
# what the command of a process that scores has in it
_WORKERS = {
    "jobs": "multiprocessing.forkserver",
    "Ray": "ray::MapWorker",
    "Spark": "pyspark.daemon",
}
_GOAL = 0.7


@dataclass(frozen=True)
class _Pass:
    seconds: float
    worker: int
    """The largest memory of a process that scores, in bytes."""
    tree: int
    """The largest memory of all processes together."""


def run(options: Options) -> Section:
    """Score the same Parquet by two jobs, by two actors of Ray, and by two executors of Spark."""
    python = Path(os.environ.get("VALENCE_ENGINES_PYTHON", _ENVIRONMENT))
    if not python.exists():
        raise BenchError(f"{python} is missing; `make bench ONLY=engines` installs it")
    some = texts.sentences(20_000)
    passes: dict[str, list[tuple[_Pass, _Pass]]] = {name: [] for name in _WORKERS}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        few, many = (_write(scratch, some, rows) for rows in (_FEW, options.lines))
        for number in range(options.rounds if options.lines < 1_000_000 else 1):
            outs = {}
            for name in _WORKERS:
                outs[name] = scratch / f"{name}-{number}.parquet"
                first = _measure(name, python, few, scratch / f"{name}-{number}-few.parquet")
                passes[name].append((first, _measure(name, python, many, outs[name])))
                say(f"  {name}: {first.seconds:.1f} s, {passes[name][-1][1].seconds:.1f} s")
            _require_equal(outs)
    return _report(options.lines, passes)


def _report(rows: int, passes: Mapping[str, list[tuple[_Pass, _Pass]]]) -> Section:
    rates = {
        name: median([(rows - _FEW) / (all_.seconds - few.seconds) for few, all_ in some])
        for name, some in passes.items()
    }
    lines = [
        [
            {"jobs": "`valence score --jobs 2`"}.get(name, name),
            f"{median([few.seconds for few, _ in some]):.1f}",
            figure(rates[name]),
            f"{rates[name] / rates['jobs']:.2f}",
            f"{max(all_.worker for _, all_ in some) / 2**20:.0f}",
            f"{max(all_.tree for _, all_ in some) / 2**20:.0f}",
        ]
        for name, some in passes.items()
    ]
    head = ["", f"s for {_FEW:,} rows", "rows/s", "over jobs", "MiB a worker", "MiB in all"]
    text = (
        f"{rows:,} sentences of the vader corpus in a file of Parquet, by the sentiment model on "
        f"{_ENGINE}, with {os.cpu_count()} cores. Ray: two actors. Spark: `local-cluster` with two "
        "executors of one core and 512 MiB for Java each. Each command runs from nothing to a "
        f"complete output: with {_FEW:,} rows, which is its start, and with all. The rows a second "
        "are those of the difference. Memory is the highest RSS that was seen: of the largest "
        "Python process that scores, and of all processes together, where a page that several "
        "share counts several times. The outputs were equal, bit for bit."
    )
    goals = [
        Goal(f"rows/s of {name} over two jobs, start apart", _GOAL, rates[name] / rates["jobs"])
        for name in ("Ray", "Spark")
    ]
    return Section("Engines of data", text, [Table(head, lines)], goals)


def _write(folder: Path, some: list[str], rows: int) -> Path:
    path = folder / f"{rows}.parquet"
    values = [some[number % len(some)] for number in range(rows)]
    table = pa.table({"key": range(rows), "text": values})
    # enough pieces for engines to divide among their workers
    pq.write_table(table, path, row_group_size=max(1, rows // 16))
    return path


def _measure(name: str, python: Path, source: Path, out: Path) -> _Pass:
    score = ["-m", "valence.service.score", str(source), str(out), "--jobs", "2"]
    commands = {
        "jobs": [sys.executable, *score, "--engine", _ENGINE],
        "Ray": [str(python), *score, "--engine", f"ray:{_ENGINE}"],
        "Spark": [str(python), "-m", "tests.trials.bench.engines", str(source), str(out)],
    }
    log = out.with_suffix(".log")
    started = time.perf_counter()
    with log.open("wb") as file, subprocess.Popen(commands[name], stdout=file, stderr=file) as tree:
        watch = _Watch(tree.pid, _WORKERS[name])
        code = tree.wait()
        seconds = time.perf_counter() - started
        watch.stop()
    if code:
        raise BenchError(
            f"{name} failed: {log.read_text(encoding='utf-8', errors='replace')[-500:]}"
        )
    return _Pass(seconds, watch.worker, watch.tree)


class _Watch:
    """Looks at the memory of the processes below ``root``, in a thread of its own."""

    def __init__(self, root: int, mark: str) -> None:
        self.worker = self.tree = 0
        self._root, self._mark = psutil.Process(root), mark
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _look_again(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                self._look()
            except psutil.NoSuchProcess:
                continue

    def _look(self) -> None:
        total = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                size = process.memory_info().rss
                if self._mark in " ".join(process.cmdline()):
                    self.worker = max(self.worker, size)
            except psutil.Error:
                continue
            total += size
        self.tree = max(self.tree, total)


def _require_equal(outs: Mapping[str, Path]) -> None:
    expected = pq.read_table(outs["jobs"])
    for name, out in outs.items():
        found = pq.read_table(out).sort_by("key").select(expected.column_names)
        for column in expected.column_names:
            one, other = (table.column(column).combine_chunks() for table in (found, expected))
            if not one.equals(other):
                raise BenchError(f"{name} gave another column {column} than two jobs")


def score_in_spark(source: str, out: str) -> None:
    """Score ``source`` into the folder ``out`` by two executors on loopback."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession
    from valence.spark import classify_udf

    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    options = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "512m",
        "spark.log.level": "ERROR",
        "spark.sql.files.maxPartitionBytes": str(max(1, Path(source).stat().st_size // 8)),
        "spark.sql.files.openCostInBytes": "0",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    scores = session.read.parquet(source).withColumn(
        "scores", classify_udf("sentiment", engine=_ENGINE)("text")
    )
    scores.select("*", "scores.*").drop("scores").write.parquet(out)
    session.stop()


if __name__ == "__main__":
    score_in_spark(*sys.argv[1:])
