"""A new version under load: seconds to its first answer, requests that failed, p99 meanwhile.

Beside Valence stands MLServer from PyPI with the same engine. Each server gets the same rate of
requests, half of what the slower one can answer.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.trials.bench import load, serving, texts
from tests.trials.bench.load import Job, Result, post
from tests.trials.bench.measure import Options, median, say
from tests.trials.bench.processes import BenchError, Server, free_port, generator_cpu, server_cpu
from tests.trials.bench.report import Section, Table, figure
from tests.trials.bench.versions import add_version

_MODEL = "sentiment"
MLSERVER = Path(".venv-mlserver") / "bin"
_INFER_PATH = f"/v2/models/{_MODEL}/infer"
_CONNECTIONS = 16
_PAUSE_SECONDS = 1.0
_PROBE_SECONDS = 0.01
_SEEN_SECONDS = 60.0


@dataclass(frozen=True)
class _Subject:
    """A server whose model is replaced: how it is told, asked, and its answer read."""

    name: str
    server: Server
    request: Callable[[str], bytes]
    path: str
    tell: Callable[[Path], None]
    version: Callable[[Any], str]


@dataclass(frozen=True)
class _Figures:
    """The figures of a subject in all rounds."""

    seconds: Sequence[float]
    quiet: Sequence[Result]
    windows: Sequence[Result]


def run(options: Options) -> Section:
    """Replace the model of each server again and again while requests arrive."""
    if not (MLSERVER / "mlserver").exists():
        raise BenchError(f"{MLSERVER}/mlserver is missing; `make bench ONLY=reload` installs it")
    sentences = texts.sentences(2_000)
    with contextlib.ExitStack() as stack:
        # what asks for the version again and again stays away from the core of the servers
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {generator_cpu()})
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valence-bench-")))
        versions = _copy_versions(scratch / "source")
        subjects = [
            stack.enter_context(_serve_valence(scratch / f"every-{seconds}", versions, seconds))
            for seconds in (2.0, 0.2)
        ]
        subjects.append(stack.enter_context(serve_mlserver(scratch / "mlserver", versions)))
        context = multiprocessing.get_context("spawn")
        generator = stack.enter_context(
            ProcessPoolExecutor(1, mp_context=context, initializer=_pin_generator)
        )

        def ask(subject: _Subject, rate: float | None, seconds: float) -> Any:
            job = Job(
                port=subject.server.port,
                requests=[subject.request(text) for text in sentences],
                connections=_CONNECTIONS,
                seconds=seconds,
                rate=rate,
                spacing="poisson",
            )
            return generator.submit(load.run, job)

        peaks = [ask(subject, None, options.seconds).result().per_second for subject in subjects]
        rate = 0.5 * min(peaks)
        say(f"  {rate:,.0f} requests/s; peaks {', '.join(f'{peak:,.0f}' for peak in peaks)}")
        measured = {}
        for subject in subjects:
            say(f"  {subject.name}")
            measured[subject.name] = _measure(
                subject, versions, options, lambda s, d: ask(s, rate, d)
            )
    return _section(measured, rate)


def _measure(
    subject: _Subject,
    versions: Sequence[Path],
    options: Options,
    ask: Callable[[_Subject, float], Any],
) -> _Figures:
    seconds: list[float] = []
    quiet, windows = [], []
    for _ in range(options.rounds):
        quiet.append(ask(subject, 2 * options.seconds).result())
        running = ask(subject, 4 * options.seconds)
        turn = 0
        while not running.done():
            seconds.append(_replace(subject, versions[(turn + 1) % 2]))
            turn += 1
            time.sleep(_PAUSE_SECONDS)
        windows.append(running.result())
        _replace(subject, versions[0])
    return _Figures(seconds, quiet, windows)


def _replace(subject: _Subject, version: Path) -> float:
    """Return the seconds from ``version`` being named on disk to its first answer."""
    started = time.perf_counter()
    subject.tell(version)
    while True:
        body = subject.request("which version is this").partition(b"\r\n\r\n")[2]
        answer = _post(subject.server.port, subject.path, body)
        if subject.version(answer) == version.name:
            return time.perf_counter() - started
        if time.perf_counter() - started > _SEEN_SECONDS:
            raise BenchError(f"{subject.name} did not serve {version.name}")
        time.sleep(_PROBE_SECONDS)


def _copy_versions(folder: Path) -> tuple[Path, Path]:
    trained = serving.model_folder(_MODEL)
    first = folder / _MODEL / trained.name
    shutil.copytree(trained, first)
    return first, add_version(first)


@contextlib.contextmanager
def _serve_valence(scratch: Path, versions: Sequence[Path], seconds: float) -> Iterator[_Subject]:
    home = scratch / "home"
    shutil.copytree(versions[0].parent, home / "models" / _MODEL)
    champion = home / "models" / _MODEL / "champion.json"

    def tell(version: Path) -> None:
        unfinished = champion.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"version": version.name}), encoding="utf-8")
        unfinished.replace(champion)

    champion.write_text(json.dumps({"version": versions[0].name}), encoding="utf-8")
    (home / "models" / _MODEL / "latest").write_text(versions[0].name, encoding="utf-8")
    port = free_port()
    with Server(
        serving.VALENCE.command(port),
        port=port,
        log=scratch / "log",
        environment={
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            "VALENCE_MODELS": _MODEL,
            "VALENCE_ACCESS_LOG": "false",
            "VALENCE_RELOAD_SECONDS": str(seconds),
            "OMP_NUM_THREADS": "1",
        },
        cpus={server_cpu()},
    ) as server:
        yield _Subject(
            f"Valence, looks every {seconds:g} s", server, serving.VALENCE.one, "/v1/classify",
            tell,
            lambda answer: str(answer["model"]["version"]),
        )  # fmt: skip


@contextlib.contextmanager
def serve_mlserver(
    scratch: Path, versions: Sequence[Path], *, grpc_port: int | None = None
) -> Iterator[_Subject]:
    """Yield MLServer with the first of ``versions``."""
    models = scratch / "models"
    (models / _MODEL).mkdir(parents=True)
    port, path = free_port(), _INFER_PATH
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": grpc_port or free_port(),
        "metrics_port": free_port(),
        "metrics_dir": str(scratch),
        "debug": False,
    }
    (models / "settings.json").write_text(json.dumps(settings), encoding="utf-8")

    def write_settings(version: Path) -> None:
        settings = {
            "name": _MODEL,
            "implementation": "tests.trials.bench.peers.mlserver_runtime.Classify",
            "parameters": {"uri": str(version)},
        }
        (models / _MODEL / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")

    def tell(version: Path) -> None:
        write_settings(version)
        _post(port, f"/v2/repository/models/{_MODEL}/load", b"{}")

    write_settings(versions[0])
    with Server(
        [str((MLSERVER / "mlserver").absolute()), "start", str(models)],
        port=port,
        log=scratch / "log",
        environment={
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        },
        ready_path=f"/v2/models/{_MODEL}/ready",
        cpus={server_cpu()},
    ) as server:
        yield _Subject(
            "MLServer, `/v2/repository/models/{m}/load`", server, make_infer_request, path, tell,
            lambda answer: str(answer["outputs"][1]["data"][0]),
        )  # fmt: skip


def make_infer_request(text: str) -> bytes:
    """Return a request of the Open Inference Protocol for one text."""
    inputs = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]
    return post(_INFER_PATH, json.dumps({"inputs": inputs}).encode())


def _section(measured: dict[str, _Figures], rate: float) -> Section:
    rows = []
    for name, figures in measured.items():
        asked = sum(result.answered + result.failed for result in figures.windows)
        rows.append(
            [
                name,
                f"{figure(median(figures.seconds))} ({figure(max(figures.seconds))})",
                f"{len(figures.seconds)}",
                f"{sum(result.failed for result in figures.windows)} of {asked:,}",
                figure(median([result.p99 * 1e3 for result in figures.windows])),
                figure(median([result.p99 * 1e3 for result in figures.quiet])),
            ]
        )
    table = Table(
        [
            "server",
            "s to the first answer, median (max)",
            "versions",
            "failed",
            "p99 meanwhile, ms",
            "p99 without, ms",
        ],
        rows,
    )
    text = (
        "Two versions of sentiment replace each other while requests arrive at random times, "
        f"{rate:,.0f} a second, half of what the slowest of the servers answers. The time begins "
        "when the new version is named on disk: `champion.json` of Valence, `model-settings.json` "
        "of MLServer 1.7.1, which is then told to load it. Valence looks by itself, every 2 s by "
        "default. MLServer has its default settings and computes with "
        f"Valence's engine. Servers are pinned to core {server_cpu()}, the generator to core "
        f"{generator_cpu()}."
    )
    return Section("A new version under load", text, [table])


def _post(port: int, path: str, body: bytes) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_SEEN_SECONDS) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def _pin_generator() -> None:
    os.sched_setaffinity(0, {generator_cpu()})
