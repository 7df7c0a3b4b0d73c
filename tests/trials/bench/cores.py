"""All cores of one machine: jobs that score a file, and workers behind one port."""

from __future__ import annotations

import csv
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.trials.bench import load, serving, texts
from tests.trials.bench.load import Job, Result
from tests.trials.bench.measure import Options, median, say
from tests.trials.bench.processes import BenchError
from tests.trials.bench.report import Goal, Section, Table, figure

_COUNTS = (1, 2)
_CONNECTIONS = 64


def run(options: Options) -> Section:
    """Measure one process and two in turn, on a file and over HTTP."""
    if len(os.sched_getaffinity(0)) < max(_COUNTS):
        raise BenchError("this part needs two cores")
    rows = options.lines
    seconds = {count: list[float]() for count in _COUNTS}
    apart: list[float] = []
    answers = {count: list[tuple[Result, float]]() for count in _COUNTS}
    some = texts.sentences(20_000)
    with tempfile.TemporaryDirectory() as scratch:
        source = _write(Path(scratch) / "texts.csv", some, rows)
        for _ in range(options.rounds if rows < 1_000_000 else 1):
            for count in _COUNTS:
                out = Path(scratch) / f"scored-{count}.csv"
                seconds[count].append(_score(source, out, count))
                say(f"  {count} jobs: {rows / seconds[count][-1]:,.0f} lines/s")
            apart.append(_score_apart(source, Path(scratch)))
            say(f"  2 commands at once: {2 * rows / apart[-1]:,.0f} lines/s")
            first, second = (Path(scratch) / f"scored-{count}.csv" for count in _COUNTS)
            if first.read_bytes() != second.read_bytes():
                raise BenchError("two jobs wrote another file than one process")
    for _ in range(options.rounds):
        for count in _COUNTS:
            answers[count].append(_answer(some, count, options.seconds))
            say(f"  {count} workers: {answers[count][-1][0].per_second:,.0f} requests/s")
    files = {count: rows / median(seconds[count]) for count in _COUNTS}
    served = {count: median([r.per_second for r, _ in answers[count]]) for count in _COUNTS}
    table = Table(
        ["", *(str(count) for count in _COUNTS), "two over one"],
        [
            _row("`valence score --jobs`, lines/s", files),
            _row("two commands at once, lines/s", {1: files[1], 2: 2 * rows / median(apart)}),
            _row("`valence serve --workers`, requests/s", served),
            _row(
                "requests per CPU-second of the server",
                {c: median([r.per_cpu_second for r, _ in answers[c]]) for c in _COUNTS},
            ),
            _row(
                "cores that the load generator took",
                {c: median([share for _, share in answers[c]]) for c in _COUNTS},
            ),
        ],
    )
    text = (
        f"{rows:,} sentences of the vader corpus as CSV by the sentiment model, on all of "
        f"{len(os.sched_getaffinity(0))} cores; start and model loading are included, and the two "
        "files were equal byte by byte. Two commands at once, each for a file of its own, share "
        "nothing but the machine: they tell what its cores give together. Over HTTP: one sentence "
        f"a request, {_CONNECTIONS} "
        "connections, closed loop. The load generator runs on the same cores, so with two workers "
        "its share is missing from what they answer."
    )
    return Section(
        "All cores",
        text,
        [table],
        [
            Goal("lines/s of two jobs over one process", 1.85, files[2] / files[1]),
            Goal(
                "lines/s of two jobs over two commands at once",
                0.9,
                files[2] * median(apart) / (2 * rows),
            ),
            Goal("requests/s of two workers over one", 1.8, served[2] / served[1]),
        ],
    )


def _row(name: str, values: dict[int, float]) -> list[str]:
    one, two = values[1], values[2]
    return [name, figure(one), figure(two), f"{two / one:.2f}"]


def _write(path: Path, some: Sequence[str], rows: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([some[number % len(some)]] for number in range(rows))
    return path


def _score(source: Path, out: Path, jobs: int) -> float:
    started = time.perf_counter()
    _end(_begin(source, out, jobs))
    return time.perf_counter() - started


def _score_apart(source: Path, folder: Path) -> float:
    """Return the seconds of two commands at once, each for the whole of ``source``."""
    started = time.perf_counter()
    both = [_begin(source, folder / f"apart-{number}.csv", 1) for number in range(2)]
    for command in both:
        _end(command)
    return time.perf_counter() - started


def _begin(source: Path, out: Path, jobs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "valence.service.score", str(source), str(out)]
    return subprocess.Popen([*command, "--jobs", str(jobs)], stderr=subprocess.PIPE)


def _end(command: subprocess.Popen[bytes]) -> None:
    _, said = command.communicate()
    if command.returncode:
        raise BenchError(f"{command.args!r} failed: {said.decode()[-500:]}")


def _answer(some: Sequence[str], workers: int, seconds: float) -> tuple[Result, float]:
    """What a server answers, and the cores that the generator took meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    os.environ["VALENCE_WORKERS"] = str(workers)
    try:
        with serving.serve(serving.VALENCE, cpus=None) as server:
            # the first worker that is ready answers the probe, and the second one a moment later
            time.sleep(2.0)
            requests = [serving.VALENCE.one(text) for text in some[:2_000]]
            job = Job(server.port, requests, _CONNECTIONS, seconds)
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                pool.submit(_generate, replace(job, seconds=1.0)).result()
                result, share = pool.submit(_generate, replace(job, pids=server.pids())).result()
    finally:
        del os.environ["VALENCE_WORKERS"]
    if result.failed:
        raise BenchError(f"{workers} workers refused {result.failed} requests of a closed loop")
    return result, share


def _generate(job: Job) -> tuple[Result, float]:
    before, started = time.process_time(), time.perf_counter()
    result = load.run(job)
    return result, (time.process_time() - before) / (time.perf_counter() - started)
