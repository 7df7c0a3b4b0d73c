from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from tests.trials.bench.processes import BenchError, Server, answers, free_port

# a server with a child process that ignores the parent's SIGTERM
PARENT = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class QuickServer(Server):
    END_SECONDS = 0.5


def running(pid):
    # an ended orphan stays in the process table until the first process collects it
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_server_and_its_descendants_are_counted_and_ended(tmp_path):
    port = free_port()
    with QuickServer(
        [sys.executable, "-c", PARENT, str(port)], port=port, log=tmp_path / "log"
    ) as server:
        assert 0 < server.ready_seconds < 30
        pids = server.pids()
        assert len(pids) == 2
        memory = server.memory()
        assert len(memory) == 2
        assert all(0 < each.uss <= each.pss <= each.rss <= each.peak for each in memory)
    assert not any(running(pid) for pid in pids)
    assert not answers(port, "/")


def test_a_server_that_fails_to_start_is_reported_with_its_log(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no model here')"]
    server = Server(command, port=free_port(), log=tmp_path / "log")
    with pytest.raises(BenchError, match="no model here"), server:
        pass


def test_a_pinned_process_still_knows_both_cores() -> None:
    """The core of the server and the core of the load generator."""
    code = """
import os
from tests.trials.bench.processes import generator_cpu, server_cpu
before = os.sched_getaffinity(0)
os.sched_setaffinity(0, {generator_cpu()})
assert (server_cpu(), generator_cpu()) == (min(before), max(before))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
