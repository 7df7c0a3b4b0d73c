"""The compared servers: how each is started and called."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trials.bench import eager
from tests.trials.bench.load import post
from tests.trials.bench.processes import BenchError, Server, free_port

Texts = Sequence[str]


@dataclass(frozen=True)
class Subject:
    """A server to measure; ``one`` and ``many`` make a request of one text and of several texts."""

    name: str
    command: Callable[[int], list[str]]
    one: Callable[[str], bytes]
    many: Callable[[Texts], bytes] | None
    ready_path: str = "/readyz"


def _json(path: str, content: object) -> bytes:
    return post(path, json.dumps(content).encode())


def _bentoml(service: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        serve = [sys.executable, "-m", "bentoml", "serve", service]
        return [*serve, "--host", "127.0.0.1", "--port", str(port)]

    return command


def _python(module: str, *arguments: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-m", module, *arguments, str(port)]


VALENCE = Subject(
    "Valence",
    _bentoml("valence.service.app:Valence"),
    lambda text: _json("/v1/classify", {"text": text}),
    lambda texts: _json("/v1/classify", {"texts": texts}),
)
ECHO = Subject(
    "the same stack without a model (echo)",
    _bentoml("tests.trials.bench.peers.echo:Echo"),
    VALENCE.one,
    None,
)
MOUNTED_ECHO = Subject(
    "Starlette mounted in BentoML, no model (echo)",
    _bentoml("tests.trials.bench.peers.mounted_echo:MountedEcho"),
    VALENCE.one,
    None,
)
IDIOM = Subject(
    "BentoML idiom, eager torch",
    _bentoml("tests.trials.bench.peers.bentoml_idiom:Idiom"),
    lambda text: _json("/classify", {"text": text}),
    lambda texts: _json("/classify_many", {"texts": texts}),
)
BATCHABLE = Subject(
    "BentoML `batchable=True`, eager torch",
    _bentoml("tests.trials.bench.peers.bentoml_batchable:Batchable"),
    lambda text: _json("/classify", {"texts": [text]}),
    lambda texts: _json("/classify", {"texts": texts}),
)
FASTAPI = Subject(
    "FastAPI, eager torch in its thread pool",
    _python("uvicorn", "tests.trials.bench.peers.fastapi_eager:app", "--port"),
    IDIOM.one,
    IDIOM.many,
)


def run_fastapi_classifier(name: str, folder: Path) -> Callable[[int], list[str]]:
    """Return the command that serves the classifier ``name``, fitted into ``folder``."""
    return _python("tests.trials.bench.peers.fastapi_classifier", name, str(folder))


LITSERVE = Subject(
    "LitServe, batches up to 64, eager torch",
    _python("tests.trials.bench.peers.litserve_batching"),
    lambda text: _json("/predict", {"texts": [text]}),
    lambda texts: _json("/predict", {"texts": texts}),
    ready_path="/health",
)
EMPTY = Subject(
    "BentoML service without a model",
    _bentoml("tests.trials.bench.peers.bentoml_empty:Empty"),
    lambda _: _json("/ping", {}),
    None,
)
PEERS = (IDIOM, BATCHABLE, FASTAPI, LITSERVE)


def model_folder(name: str = "sentiment") -> Path:
    """Return the newest version of a model in BentoML's store."""
    store = _home() / "models" / name
    try:
        return store / (store / "latest").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise BenchError(f"{store} holds no model; `make bench` trains it first") from None


@contextlib.contextmanager
def serve(
    subject: Subject, *, cpus: set[int] | None, folder: Path | None = None
) -> Iterator[Server]:
    """Yield the ready server of ``subject``; its code is in ``folder``, by default the
    current one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # each server has its own BentoML home: two servers in one home erase each other's metrics
        home = Path(scratch) / "home"
        home.mkdir()
        (home / "models").symlink_to(_home() / "models")
        port = free_port()
        threads = {} if cpus is None else {"OMP_NUM_THREADS": str(len(cpus))}
        environment = {
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            "PYTHONPATH": str(folder or Path.cwd()),
            eager.MODEL: str(model_folder()),
            **threads,
        }
        with Server(
            subject.command(port),
            port=port,
            log=Path(scratch) / "log",
            environment=environment,
            ready_path=subject.ready_path,
            cpus=cpus,
            folder=folder,
        ) as server:
            yield server


def _home() -> Path:
    home = os.environ.get("BENTOML_HOME")
    if not home:
        raise BenchError("BENTOML_HOME is not set; use `make bench`")
    return Path(home).absolute()
