"""A log that nobody reads, and a log on a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.trials.bench.processes import answers, free_port
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import ask

_READY_SECONDS = 60.0
_END_SECONDS = 10.0


def run(*, requests: int = 20_000) -> Iterator[Finding]:
    """Send requests whose log lines cannot be written."""
    reading, writing = os.pipe()
    try:
        yield _unwritten("the log is a pipe that nobody reads", writing, requests)
    finally:
        os.close(reading)
        os.close(writing)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        yield _unwritten("the log is on a full disk", full, requests)
    finally:
        os.close(full)


def _unwritten(fault: str, log: int, requests: int) -> Finding:
    seen: Counter[str] = Counter()
    with _served(log) as (process, port):
        begun = time.perf_counter()
        for _ in range(requests):
            try:
                ask(port, "/v1/classify", {"text": "I love it."}, timeout=5.0)
                seen["200"] += 1
            except urllib.error.HTTPError as error:
                seen[str(error.code)] += 1
            except OSError:
                seen["unanswered"] += 1
                break
        seconds = time.perf_counter() - begun
        dropped = _dropped_lines(port)
        begun = time.perf_counter()
        process.terminate()
        status: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(_END_SECONDS)
        ended = time.perf_counter() - begun
    return Finding(
        fault=fault,
        tried=f"{requests:,} requests one after another, in {seconds:.0f} s, then SIGTERM",
        lost=f"answers: {dict(seen)}; {dropped:,.0f} lines dropped and counted; exit status "
        f"{status} after {ended:.1f} s",
        promise=f"each answered with 200; dropped lines counted; exit 0 within {_END_SECONDS:g} s",
        held=seen["200"] == requests and dropped > 0 and status == 0,
    )


def _dropped_lines(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5.0) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("valence_log_lines_dropped_total "):
                return float(line.split()[1])
    return 0.0


@contextlib.contextmanager
def _served(log: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the service with its output on the descriptor ``log``; kill what is left of it."""
    with tempfile.TemporaryDirectory(prefix="valence-chaos-") as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "models", home / "models")
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "BENTOML_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        tree = [psutil.Process(process.pid)]
        try:
            ends = time.perf_counter() + _READY_SECONDS
            while not answers(port, "/readyz") and time.perf_counter() < ends:
                time.sleep(0.05)
            with contextlib.suppress(psutil.NoSuchProcess):
                tree += tree[0].children(recursive=True)
            yield process, port
        finally:
            for each in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait(_END_SECONDS)
