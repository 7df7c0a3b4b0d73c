"""What the first process does with a worker that hangs, and with signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valence.service.server import supervisor
from valence.service.server.supervisor import _WorkerWatch

FIRST_PROCESS = """
import sys, time
from valence.service.server import supervisor
supervisor.supervise_workers(1, hung_seconds=5, grace_seconds=5, tell=print)
print("supervises", flush=True)
time.sleep(30)
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_stopped_worker_is_killed_with_a_reason(child):
    lines: list[str] = []
    watch = _WorkerWatch(1, grace_seconds=1, tell=lines.append)
    child.send_signal(signal.SIGSTOP)
    watch.kill(child.pid, "has not answered for 5 s")
    assert child.wait(5) == -signal.SIGKILL
    assert lines == ["valence: the worker has not answered for 5 s and is killed"]


def test_a_process_that_has_ended_or_is_no_child_is_left_alone(child):
    lines: list[str] = []
    watch = _WorkerWatch(1, grace_seconds=1, tell=lines.append)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    watch.kill(child.pid, "hangs")
    watch.kill(os.getppid(), "hangs")
    assert lines == []


def test_other_signals_do_not_end_the_first_process():
    with subprocess.Popen(
        [sys.executable, "-c", FIRST_PROCESS], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "supervises\n"
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                process.send_signal(number)
            time.sleep(0.1)
            assert process.poll() is None
        finally:
            process.kill()


# a first process that is killed while its worker starts
KILLED = """
import os, subprocess, sys, time
from valence.service.server import supervisor
supervisor.supervise_workers(2, hung_seconds=5, grace_seconds=5, tell=print)
WORKER = (
    "import os, time, sys\\n"
    "from valence.service.server import supervisor\\n"
    "if sys.argv[1] == 'late':\\n"
    "    while os.getppid() == int(sys.argv[2]): time.sleep(0.01)\\n"
    "supervisor.end_with_parent()\\n"
    "print('follows', flush=True)\\n"
    "time.sleep(60)\\n"
)
for when in ("early", "late"):
    command = [sys.executable, "-c", WORKER, when, str(os.getpid())]
    print(subprocess.Popen(command).pid, flush=True)
time.sleep(60)
"""


def test_no_worker_outlives_a_first_process_that_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout
        lines = [first.stdout.readline() for _ in range(3)]
        assert "follows\n" in lines
        first.kill()
        # the pipe ends when both workers have ended
        assert "follows" not in first.stdout.read()


class Arbiter:
    """The process manager with workers of a test."""

    def __init__(self, *workers: subprocess.Popen[bytes]) -> None:
        self.processes = {worker.pid: worker for worker in workers}
        self.respawn = False
        self.checks = 0
        self.loop = self

    def iter_watchers(self):
        return [self]

    def add_callback_from_signal(self, callback, *arguments):
        self.checks += 1


@pytest.fixture
def server(monkeypatch) -> Iterator[Callable[..., Server]]:
    """A function that makes a server of workers that run the given programs."""
    made: list[Server] = []

    def make(*programs: str) -> Server:
        made.append(Server(monkeypatch, programs))
        return made[-1]

    yield make
    for one in made:
        for worker in one.workers:
            worker.kill()
            worker.wait()


class Server:
    def __init__(self, monkeypatch, programs):
        self.workers = [subprocess.Popen([sys.executable, "-c", code]) for code in programs]
        self.arbiter = Arbiter(*self.workers)
        self.lines: list[str] = []
        self.ended: list[int] = []
        self.watch = _WorkerWatch(len(programs), grace_seconds=1, tell=self.lines.append)
        monkeypatch.setattr(supervisor, "_arbiter", lambda: self.arbiter)
        monkeypatch.setattr(supervisor, "_end", self.ended.append)

    def wait_for_end_of(self, *numbers: int) -> None:
        for number in numbers:
            os.waitid(os.P_PID, self.workers[number].pid, os.WEXITED | os.WNOWAIT)

    def signal(self) -> None:
        self.watch.handle_sigchld(signal.SIGCHLD, None)


WAIT = "import time; time.sleep(60)"


def test_workers_that_end_together_are_told_each_once(server):
    one = server(WAIT, WAIT)
    for worker in one.workers:
        worker.kill()
    one.wait_for_end_of(0, 1)
    one.signal()
    one.signal()
    assert one.lines == [
        f"valence: worker {worker.pid} was killed by signal 9" for worker in one.workers
    ]
    # each of them is replaced at once, and the third end within seconds is not
    assert one.arbiter.checks == 2
    assert not one.ended


def test_one_of_several_workers_is_replaced_in_a_container(server, monkeypatch):
    monkeypatch.setenv("BENTOML_CONTAINERIZED", "true")
    one = server(WAIT, WAIT)
    one.workers[1].kill()
    one.wait_for_end_of(1)
    one.signal()
    assert one.arbiter.respawn
    assert one.arbiter.checks == 1
    assert not one.ended


def test_the_only_worker_ends_a_server_in_a_container(server, monkeypatch):
    monkeypatch.setenv("BENTOML_CONTAINERIZED", "true")
    one = server(WAIT)
    one.workers[0].kill()
    one.wait_for_end_of(0)
    one.signal()
    assert one.ended == [1]
    assert one.lines == ["valence: the worker was killed by signal 9"]


def test_a_worker_that_cannot_start_leaves_the_others(server):
    one = server("import sys; sys.exit(78)", WAIT)
    one.wait_for_end_of(0)
    one.signal()
    assert not one.ended
    # BentoML's check, every ten seconds, is often enough
    assert one.arbiter.checks == 0
    assert one.arbiter.respawn
    one.workers[1].kill()
    one.wait_for_end_of(1)


def test_the_last_worker_that_cannot_start_ends_the_server(server):
    one = server("import sys; sys.exit(78)", "import sys; sys.exit(78)")
    one.wait_for_end_of(0, 1)
    one.signal()
    assert 78 in one.ended


def test_a_full_disk_leaves_the_status_of_the_end(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    program = "import atexit\n"
    program += "from valence.service.server.supervisor import drop_unwritten\n"
    statuses = []
    for line in ("", "atexit.register(drop_unwritten)\n"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-c", f"{program}{line}print('a line')"],
                stdout=full,
                stderr=full,
                check=False,
            )
        statuses.append(done.returncode)
    assert statuses == [120, 0]
