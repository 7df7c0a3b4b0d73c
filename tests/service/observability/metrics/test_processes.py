"""The metrics of all processes of a server together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valence.service.observability.metrics.processes import ServerProcesses

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="processes are found in /proc"
)
# a first process with two workers, each of which works a while and then waits
FIRST = """
import subprocess, sys, time
WORK = "import time; end = time.process_time() + 0.2\\nwhile time.process_time() < end: pass\\n" \
    "print(1, flush=True); time.sleep(600)"
workers = [subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE) for _ in range(2)]
for worker in workers:
    worker.stdout.readline()
print(*(worker.pid for worker in workers), flush=True)
sys.stdin.readline()
workers[0].wait()
print("reaped", flush=True)
sys.stdin.readline()
for worker in workers:
    worker.kill()
"""
ALONE = """
import json, os
from prometheus_client import CollectorRegistry, ProcessCollector
from valence.service.observability.metrics.processes import ServerProcesses
registry = CollectorRegistry()
ProcessCollector(registry=registry)
print(json.dumps([
    {sample.name: sample.value for family in collector.collect() for sample in family.samples}
    for collector in (ServerProcesses(os.getpid()), registry)
]))
"""


@pytest.fixture
def first() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", FIRST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate("\n\n")


def values(process: int) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in ServerProcesses(process).collect()
        for sample in family.samples
    }


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_the_processor_time_of_a_killed_worker_stays(first):
    one, _ = map(int, first.stdout.readline().split())
    before = values(first.pid)
    assert before["process_cpu_seconds_total"] >= 0.4
    os.kill(one, signal.SIGKILL)
    wait_until(lambda: ") Z " in Path(f"/proc/{one}/stat").read_text())
    ended = values(first.pid)
    assert ended["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"]
    assert ended["process_resident_memory_bytes"] < before["process_resident_memory_bytes"]
    assert ended["process_open_fds"] < before["process_open_fds"]
    first.stdin.write("\n")
    first.stdin.flush()
    assert first.stdout.readline() == "reaped\n"
    after = values(first.pid)
    assert after["process_cpu_seconds_total"] >= ended["process_cpu_seconds_total"]


def test_a_process_alone_has_the_metrics_of_the_library():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    own, library = json.loads(done.stdout)
    assert own.keys() == library.keys()
    for name, value in library.items():
        assert own[name] == pytest.approx(value, rel=0.1, abs=2), name


def test_a_server_that_has_ended_has_no_metrics():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert values(process.pid) == {}
