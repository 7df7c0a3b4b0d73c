"""Promotion and rollback on three servers, which share a store on disk or a bucket: seconds.

    python -m tests.trials.convergence [--rounds 5]

The bucket is one of moto, on loopback. Ends with 1 if a server took longer than ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.support.source_servers import serve_objects
from tests.trials.bench.measure import median, say
from tests.trials.bench.processes import Server, free_port
from tests.trials.bench.versions import add_version
from tests.trials.chaos.served import ask

_MODEL = "sentiment"
_SERVERS = 3
_MOST_SECONDS = 10.0
_END_SECONDS = 60.0


def main() -> int:
    """Print a table; return 1 if it took too long."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.convergence", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="valence-convergence-") as scratch:
        home = Path(scratch) / "home"
        trained = Path(os.environ["BENTOML_HOME"]) / "models" / _MODEL
        shutil.copytree(trained, home / "models" / _MODEL)
        (home / "models" / _MODEL / "champion.json").unlink(missing_ok=True)
        # before BentoML is imported, which reads it once
        os.environ["BENTOML_HOME"] = str(home)
        first = home / "models" / _MODEL / (trained / "latest").read_text().strip()
        versions = first, add_version(first)
        lines = ["| source | promotions, s | rollbacks, s |", "|---|---:|---:|"]
        slowest = 0.0
        for name, measure in (("a store on disk", _on_disk), ("a bucket", _in_a_bucket)):
            promotions, rollbacks = measure(Path(scratch), versions, rounds)
            slowest = max(slowest, *promotions, *rollbacks)
            lines.append(f"| {name} | {_summary(promotions)} | {_summary(rollbacks)} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(slowest > _MOST_SECONDS)


def _on_disk(
    scratch: Path, versions: tuple[Path, Path], rounds: int
) -> tuple[list[float], list[float]]:
    from valence.training.registry import store

    def promote(version: Path) -> None:
        store.promote_version(f"{_MODEL}:{version.name}")

    promote(versions[0])
    with _servers(scratch / "disk", shared=scratch / "home" / "models") as ports:
        return _measure(ports, versions, rounds, promote, lambda: store.roll_back(_MODEL))


def _in_a_bucket(
    scratch: Path, versions: tuple[Path, Path], rounds: int
) -> tuple[list[float], list[float]]:
    import boto3
    from valence.service.sources.publication import push_version
    from valence.training.registry import source_champion

    with serve_objects() as port:
        settings = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "trial",
            "AWS_SECRET_ACCESS_KEY": "trial",
            "AWS_DEFAULT_REGION": "us-east-1",
            "VALENCE_MODEL_SOURCE": "s3://models/production",
        }
        os.environ |= {name: value for name, value in settings.items() if name.startswith("AWS")}
        boto3.client("s3").create_bucket(Bucket="models")
        source = source_champion.open_address(settings["VALENCE_MODEL_SOURCE"])
        for version in versions:
            push_version(source, version)

        def promote(version: Path) -> None:
            source_champion.promote_version(source, f"{_MODEL}:{version.name}")

        def roll_back() -> None:
            source_champion.roll_back(source, _MODEL)

        promote(versions[0])
        with _servers(scratch / "bucket", settings=settings) as ports:
            return _measure(ports, versions, rounds, promote, roll_back)


@contextlib.contextmanager
def _servers(
    scratch: Path, *, shared: Path | None = None, settings: Mapping[str, str] = {}
) -> Iterator[list[int]]:
    """Run the servers, each with a home of its own; yields their ports."""
    with contextlib.ExitStack() as stack:
        ports = []
        for number in range(_SERVERS):
            home = scratch / str(number)
            home.mkdir(parents=True)
            if shared is not None:
                (home / "models").symlink_to(shared)
            port = free_port()
            command = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
            server = Server(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                port=port,
                log=home / "log.txt",
                environment={
                    "BENTOML_HOME": str(home),
                    "VALENCE_MODELS": _MODEL,
                    "VALENCE_ACCESS_LOG": "false",
                    **settings,
                },
            )
            stack.enter_context(server)
            ports.append(port)
        yield ports


def _measure(
    ports: list[int],
    versions: tuple[Path, Path],
    rounds: int,
    promote: Callable[[Path], object],
    roll_back: Callable[[], object],
) -> tuple[list[float], list[float]]:
    _wait(ports, versions[0].name)
    promotions, rollbacks = [], []
    for number in range(rounds):
        started = time.perf_counter()
        promote(versions[1])
        _wait(ports, versions[1].name)
        promotions.append(time.perf_counter() - started)
        started = time.perf_counter()
        roll_back()
        _wait(ports, versions[0].name)
        rollbacks.append(time.perf_counter() - started)
        say(f"  {number + 1}: {promotions[-1]:.2f} s, back {rollbacks[-1]:.2f} s")
    return promotions, rollbacks


def _wait(ports: list[int], version: str) -> None:
    """Return when each server answers by ``version``."""
    started = time.perf_counter()
    for port in ports:
        while ask(port, "/v1/classify", {"text": "which"})["model"]["version"] != version:
            if time.perf_counter() - started > _END_SECONDS:
                raise TimeoutError(f"the server at port {port} does not serve {version}")
            time.sleep(0.02)


def _summary(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} (at most {max(seconds):.2f} of {len(seconds)})"


if __name__ == "__main__":
    sys.exit(main())
