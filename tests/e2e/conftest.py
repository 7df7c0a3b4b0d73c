"""Fixtures that build a bento, export it and serve it in its own process from an empty home."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

REPOSITORY = Path(__file__).parents[2]
BENTOML = str(Path(sys.executable).with_name("bentoml"))
STORE = """
import shutil, sys, bentoml
for folder in sys.argv[1:]:
    name = folder.rstrip("/").split("/")[-1]
    with bentoml.models.create(f"{name}:1") as model:
        shutil.copytree(folder, model.path, dirs_exist_ok=True)
"""


def _environment(home: Path, **settings: str) -> dict[str, str]:
    """Return this process's environment with another BentoML home and without the repository."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VALENCE_", "BENTOML_", "PYTHONPATH", "PROMETHEUS_"))
    }
    return {
        **kept,
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "OMP_NUM_THREADS": "1",
        **settings,
    }


@dataclass
class Server:
    """A served bento."""

    process: subprocess.Popen[str]
    url: str
    output: Path

    def stop(self) -> int:
        """Send SIGTERM to the first process, as a container runtime does, and return its exit
        status.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


class FailedStart(NamedTuple):
    """Output of a server that could not start."""

    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """Return the only line of standard error."""
        (line,) = self.stderr.splitlines()
        return line


@contextmanager
def _serving(
    target: Path | str, *, cwd: Path, home: Path, log: int | None = None, **settings: str
) -> Iterator[Server]:
    """Run ``bentoml serve`` on a free loopback port until it is ready; kill its processes at the
    end.

    Output goes to the descriptor ``log``, or to a file.
    """
    port = _free_port()
    output = cwd / f"output-{port}.txt"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [BENTOML, "serve", str(target), "--host", "127.0.0.1", "--port", str(port)],
            cwd=cwd,
            env=_environment(home, **settings),
            stdout=stream if log is None else log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    server = Server(process, f"http://127.0.0.1:{port}", output)
    try:
        deadline = time.monotonic() + 30
        while not _is_ready(server.url):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory, save_tiny: Callable[..., Path]) -> Path:
    """Return the folder of an exported bento with two tiny models."""
    scratch = tmp_path_factory.mktemp("bento")
    folders = [str(save_tiny(scratch / name, name=name)) for name in ("sentiment", "topic")]
    variables = _environment(scratch / "home")

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=variables, check=True, capture_output=True, text=True
        )
        return done.stdout

    run(sys.executable, "-c", STORE, *folders)
    tag = (
        run(sys.executable, "-m", "valence.service.registry.bento", "--output", "tag")
        .strip()
        .removeprefix("__tag__:")
    )
    run(BENTOML, "export", tag, str(scratch / "valence.bento"))
    with tarfile.open(scratch / "valence.bento") as archive:
        # the archive is trusted; Python before 3.11.4 has no filters, newer versions ask for one
        filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(scratch / "exported", **filters)
    return scratch / "exported"


@pytest.fixture(scope="module")
def server(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the bento from an empty home."""
    scratch = tmp_path_factory.mktemp("served")
    with _serving(bento, cwd=scratch, home=scratch / "home", VALENCE_MAX_BODY_BYTES="4096") as it:
        yield it


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[Server]]:
    """Return the context manager ``serving(target, cwd=..., home=..., **settings)``."""
    return _serving


@pytest.fixture(scope="session")
def refused() -> Callable[..., FailedStart]:
    """Return a function that serves an invalid target and checks that it ends with status 78."""

    def refused(target: Path | str, *, cwd: Path, home: Path, **settings: str) -> FailedStart:
        process = subprocess.Popen(
            [BENTOML, "serve", str(target), "--host", "127.0.0.1", "--port", str(_free_port())],
            cwd=cwd,
            env=_environment(home, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            wrote = FailedStart(*process.communicate(timeout=30))
        finally:
            with contextlib.suppress(ProcessLookupError):
                # a worker may still run
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 78, wrote
        return wrote

    return refused


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the working tree."""
    return REPOSITORY
