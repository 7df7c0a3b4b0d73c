"""Servers as process trees: started, pinned, accounted for, and ended by process id."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_READY_SECONDS = 120.0


class BenchError(Exception):
    """A benchmark cannot run, or its measurement would be wrong."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a process or of a whole tree."""

    rss: int
    pss: int
    uss: int
    peak: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(
            self.rss + other.rss, self.pss + other.pss, self.uss + other.uss, self.peak + other.peak
        )


class Server:
    """A server process and its descendants.

    As a context manager it runs until the block ends, also after an exception. ``cpus`` are the
    cores
    that it is pinned to (None: all); ``folder`` is its working folder (None: the current one).
    """

    # what still runs this long after SIGTERM is killed
    END_SECONDS = 10.0

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        environment: Mapping[str, str] = {},
        ready_path: str = "/readyz",
        cpus: set[int] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.port = port
        self._folder = folder
        self._command = command
        self._log = log
        self._environment = {**os.environ, **environment}
        self._ready_path = ready_path
        self._cpus = cpus
        self._known: list[psutil.Process] = []

    def __enter__(self) -> Self:
        with _pinned(self._cpus), self._log.open("ab") as log:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._known = [psutil.Process(self._process.pid)]
        try:
            self.ready_seconds = self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def pids(self) -> list[int]:
        """Return the ids of the server's process and of all its descendants."""
        return [process.pid for process in self._tree()]

    def memory(self) -> list[Memory]:
        """Return the memory of each process, the largest first."""
        each = [_memory(process) for process in self._tree()]
        return sorted(each, key=lambda memory: -memory.rss)

    def _tree(self) -> list[psutil.Process]:
        root = self._known[0]
        try:
            self._known = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            raise BenchError(f"{self._command[2:]} ended by itself; see {self._log}") from None
        return self._known

    def _wait_until_ready(self) -> float:
        while True:
            if answers(self.port, self._ready_path):
                return time.perf_counter() - self.started
            if self._process.poll() is not None or self.seconds > _READY_SECONDS:
                tail = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise BenchError(f"{' '.join(self._command)} did not become ready:\n{tail}")
            time.sleep(0.01)

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.started

    def _end(self) -> None:
        # processes that the root does not end are ended below; orphans are known from the list
        with contextlib.suppress(BenchError):
            self._tree()
        self._process.terminate()
        _, alive = psutil.wait_procs(self._known, timeout=self.END_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=self.END_SECONDS)
        self._process.wait(self.END_SECONDS)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time used so far by the processes and by their ended children."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Return whether a GET of ``path`` is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
            connection.sendall(request)
            return connection.recv(64)[9:12] == b"200"
    except OSError:
        return False


def server_cpu() -> int:
    """Return the core that servers run on."""
    return min(_cores())


def generator_cpu() -> int:
    """Return the core of the load generator; it differs from the server's core if possible."""
    return max(_cores())


@functools.cache
def _cores() -> frozenset[int]:
    """Return the cores of this process at its start: after pinning a process sees only one core."""
    return frozenset(os.sched_getaffinity(0))


@contextlib.contextmanager
def _pinned(cpus: set[int] | None) -> Iterator[None]:
    """Pin this process for a while; processes started meanwhile inherit the cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _memory(process: psutil.Process) -> Memory:
    full = process.memory_full_info()
    peak = full.rss
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            peak = int(line.split()[1]) * 1024
    return Memory(full.rss, full.pss, full.uss, peak)
