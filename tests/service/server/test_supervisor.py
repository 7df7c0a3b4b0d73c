"""What the first process does with a worker that hangs, with signals, and with a taken port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from valence.service.server import supervisor
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


def refusal(monkeypatch, capfd, host: str, port: int) -> str:
    given = {"host": host, "port": port}
    monkeypatch.setattr(supervisor, "_option", given.get)
    with pytest.raises(SystemExit) as ended:
        supervisor.require_free_port()
    assert ended.value.code == supervisor.CANNOT_START
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_a_port_in_use_is_named_in_one_line(monkeypatch, capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refusal(monkeypatch, capfd, "127.0.0.1", port)
    assert line.startswith(f"valence: cannot listen on port {port} of 127.0.0.1: another program ")
    supervisor.require_free_port()


def test_an_address_of_another_machine_is_named(monkeypatch, capfd):
    line = refusal(monkeypatch, capfd, "192.0.2.1", 3000)
    assert line.startswith("valence: cannot listen on port 3000 of 192.0.2.1: this machine ")
