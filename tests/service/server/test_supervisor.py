"""What the first process does with a worker that hangs, and with signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from valence.service.server.supervisor import _WorkerWatch

FIRST_PROCESS = """
import sys, time
from valence.service.server import supervisor
supervisor.supervise_worker(hung_seconds=5, grace_seconds=5, tell=print)
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
    watch = _WorkerWatch(grace_seconds=1, tell=lines.append)
    child.send_signal(signal.SIGSTOP)
    watch.kill(child.pid, "has not answered for 5 s")
    assert child.wait(5) == -signal.SIGKILL
    assert lines == ["valence: the worker has not answered for 5 s and is killed"]


def test_a_process_that_has_ended_or_is_no_child_is_left_alone(child):
    lines: list[str] = []
    watch = _WorkerWatch(grace_seconds=1, tell=lines.append)
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
