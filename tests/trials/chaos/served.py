"""The service under attack: its own process tree on loopback, which ends with the attack."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from valence.service.machine.cores import parse_processes

from tests.trials.bench.processes import Server, free_port, server_cpu


@contextlib.contextmanager
def serve(
    *,
    pinned: bool = True,
    settings: Mapping[str, str] = {},
    wrap: Callable[[Sequence[str]], Sequence[str]] = lambda command: command,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Iterator[Server]:
    """Run ``bentoml serve`` with the trained models in its own home, until it is ready.

    ``wrap`` makes the command that runs this command. ``prepare`` is given the model store before
    the start.
    """
    with tempfile.TemporaryDirectory(prefix="valence-chaos-") as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "models", home / "models")
        prepare(home / "models")
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
        with Server(
            wrap([*command, "--host", "127.0.0.1", "--port", str(port)]),
            port=port,
            log=Path(scratch) / "log.txt",
            environment={"BENTOML_HOME": str(home), "VALENCE_ACCESS_LOG": "false", **settings},
            cpus={server_cpu()} if pinned else None,
        ) as server:
            yield server


def count_workers() -> int:
    """Return how many workers a server of this trial has, by the variable that it inherits."""
    return parse_processes(os.environ.get("VALENCE_WORKERS", "1"))


def ask(port: int, path: str, content: object = None, *, timeout: float = 30.0) -> Any:
    """Return the JSON answer to a GET, or to a POST of ``content``."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def memory(server: Server) -> int:
    """Return the resident bytes of the processes of the tree."""
    return sum(part.rss for part in server.memory())


def handles(server: Server) -> tuple[int, int]:
    """Return the number of open file descriptors and of threads of the tree."""
    processes = [psutil.Process(pid) for pid in server.pids()]
    return sum(p.num_fds() for p in processes), sum(p.num_threads() for p in processes)
