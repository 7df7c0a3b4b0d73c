"""SIGTERM and SIGKILL under load, with a supervisor that restarts ended processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from tests.trials.bench import texts
from tests.trials.bench.measure import say
from tests.trials.bench.processes import answers, free_port
from tests.trials.chaos.clients import CLIENTS, Clients, right_answers
from tests.trials.chaos.finding import Finding

_READY_SECONDS = 10.0
_END_SECONDS = 30.0


class Supervised:
    """The service, started again whenever its first process ends."""

    def __init__(self, home: Path, port: int, settings: Mapping[str, str] = {}) -> None:
        self._port = port
        self._environment = {
            **os.environ,
            "BENTOML_HOME": str(home),
            "VALENCE_ACCESS_LOG": "false",
            # as in a container, where BentoML leaves restarts to the supervisor
            "BENTOML_CONTAINERIZED": "1",
            **settings,
        }
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(self._port)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def tree(self) -> list[psutil.Process]:
        """Return the first process and its descendants, or an empty list after its end."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def worker(self) -> psutil.Process:
        """Return the process that answers: the largest one."""
        return max(self.tree(), key=lambda process: process.memory_info().rss)

    def wait_until_ready(self) -> float:
        """Return the seconds until the readiness probe is answered; restart a process that has
        ended.
        """
        started = time.perf_counter()
        while not answers(self._port, "/readyz"):
            if self.process.poll() is not None:
                self.start()
            if time.perf_counter() - started > 60:
                return float("inf")
            time.sleep(0.02)
        return time.perf_counter() - started

    def wait_until_down(self) -> None:
        """Return when the old tree, which ends by itself, has freed its port, or after 2 s."""
        _wait_for(lambda: not answers(self._port, "/readyz"), seconds=2.0)

    def end(self) -> None:
        tree = self.tree()
        self.process.terminate()
        _, alive = psutil.wait_procs(tree, timeout=_END_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(_END_SECONDS)


def run(*, times: int = 20) -> Iterator[Finding]:
    """Send each signal several times, during traffic."""
    with tempfile.TemporaryDirectory(prefix="valence-chaos-") as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "models", home / "models")
        port = free_port()
        service = Supervised(home, port)
        try:
            service.wait_until_ready()
            expected = right_answers(port, texts.sentences(200))
            yield _terminate(service, port, expected, times=times)
            yield _kill(service, port, expected, times=times)
        finally:
            service.end()


def _terminate(
    service: Supervised, port: int, expected: Sequence[tuple[str, object]], *, times: int
) -> Finding:
    clients = Clients(port, expected)
    statuses: Counter[int] = Counter()
    longest = 0.0
    for number in range(times):
        time.sleep(1.0)
        service.process.send_signal(signal.SIGTERM)
        statuses[service.process.wait(_END_SECONDS)] += 1
        service.start()
        longest = max(longest, service.wait_until_ready())
        say(f"SIGTERM {number + 1}: {dict(clients.seen)}, exit {dict(statuses)}")
    time.sleep(1.0)
    clients.stop()
    seen = clients.seen
    return Finding(
        fault="SIGTERM under load",
        tried=f"{times} times, {CLIENTS} clients without pause, {sum(seen.values()):,} requests",
        lost=f"{seen['unanswered']} accepted requests unanswered, {seen['wrong']} wrong answers, "
        f"{seen['503']} answered 503, {seen['refused']} connections refused while no process "
        f"listened; exit statuses {dict(statuses)}; ready again within {longest:.1f} s",
        promise=f"none unanswered, none wrong, exit 0, ready within {_READY_SECONDS:g} s",
        held=not seen["unanswered"]
        and not seen["wrong"]
        and set(statuses) == {0}
        and longest <= _READY_SECONDS,
    )


def _kill(
    service: Supervised, port: int, expected: Sequence[tuple[str, object]], *, times: int
) -> Finding:
    clients = Clients(port, expected)
    longest = 0.0
    for number in range(times):
        time.sleep(1.0)
        # the first process and the answering process, alternately
        victim = service.tree()[0] if number % 2 else service.worker()
        before = service.tree()
        victim.kill()
        started = time.perf_counter()
        # the rest of the old tree ends by itself; otherwise the next start would find its port
        # taken
        service.wait_until_down()
        service.wait_until_ready()
        longest = max(longest, time.perf_counter() - started)
        left = [p for p in before if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        say(f"SIGKILL {number + 1}: {dict(clients.seen)}, {len(left)} of the old tree left")
    time.sleep(1.0)
    clients.stop()
    seen = clients.seen
    return Finding(
        fault="SIGKILL of server or worker under load",
        tried=f"{times} times, in turn, {sum(seen.values()):,} requests",
        lost=f"{seen['wrong']} wrong answers; {seen['unanswered']} requests cut off with the "
        f"process; ready again within {longest:.1f} s",
        promise=f"no wrong answer; ready within {_READY_SECONDS:g} s",
        held=not seen["wrong"] and longest <= _READY_SECONDS,
    )


def _wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends and not condition():
        time.sleep(0.02)
