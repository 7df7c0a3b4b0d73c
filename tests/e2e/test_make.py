from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.main import get_command
from valence.service.score import run
from valence.training.cli.main import app

pytestmark = pytest.mark.e2e

_STORE = """
import shutil, sys, bentoml
for folder in sys.argv[1:]:
    with bentoml.models.create(f"{folder.rsplit('/', 1)[1]}:1") as model:
        shutil.copytree(folder, model.path, dirs_exist_ok=True)
"""

# what `make setup` installs; a missing name would be installed into the environment of the tests
SETUP = (
    "base", "tracking", "search", "checks", "hub", "mlflow", "store", "grpc", "feedback",
)  # fmt: skip


class Checkout:
    """A copy of the repository that uses this environment as .venv and has tiny models in its
    store.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info")
        shutil.copytree(repository, folder, ignore=ignored)
        (folder / ".venv").mkdir()
        for entry in Path(sys.prefix).iterdir():
            (folder / ".venv" / entry.name).symlink_to(entry)
        for group in (*SETUP, "development"):
            stamp = folder / ".venv" / f".{group}"
            stamp.unlink(missing_ok=True)
            stamp.touch()
        hidden = ("VALENCE_", "BENTOML_", "ARGS", "MAKE", "PYTHONPATH", "PROMETHEUS_")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def make(self, *arguments: str, **variables: str) -> str:
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def checkout(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, save_tiny: Callable[..., Path]
) -> Checkout:
    scratch = tmp_path_factory.mktemp("make")
    checkout = Checkout(repository, scratch / "valence")
    tiny = [str(save_tiny(scratch / name, name=name)) for name in ("sentiment", "topic")]
    subprocess.run(
        [sys.executable, "-c", _STORE, *tiny],
        env={
            **checkout.variables,
            "BENTOML_HOME": str(checkout.folder / ".valence" / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
        },
        check=True,
    )
    return checkout


def targets(makefile: str) -> set[str]:
    named = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    return {target for line in named for target in line.split() if not target.startswith("$")}


def old_targets(makefile: str) -> list[str]:
    return re.findall(r"^OLD := (.*)$", makefile, re.MULTILINE)[0].split()


def test_help_lists_every_target_once(checkout: Checkout) -> None:
    lines = checkout.make("help").splitlines()
    listed = [line.split()[1] for line in lines if line.startswith("make ")]
    assert sorted(listed) == sorted(targets((checkout.folder / "Makefile").read_text()))
    assert all(len(line) <= 120 for line in lines)


def test_an_old_target_names_the_command_of_today(checkout: Checkout) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for target in old_targets((checkout.folder / "Makefile").read_text()):
        done = checkout.run(target)
        assert done.returncode == 2
        (line, _) = done.stderr.splitlines()
        assert line.startswith(f"make {target} is called now: .venv/bin/valence {target} ")
        assert target in commands


def test_an_old_target_translates_its_variables(checkout: Checkout) -> None:
    for arguments, command in [
        (["show", "MODEL=topic"], "show topic"),
        (["score", "IN=a.csv", "OUT=b.csv", "ARGS=--top-k 2"], "score a.csv b.csv"),
        (["check", "DATA=a.csv", "LABEL=stars"], "check --data a.csv --label stars ("),
        (["search", "TRIALS=3"], "search sentiment --trials 3 ("),
        (["promote", "TAG=topic:1"], "promote topic:1 ("),
        (["lm", "LM=mine"], "lm training/char_lm/configs/mine.toml ("),
    ]:
        assert f"/valence {command}" in checkout.run(*arguments).stderr


@pytest.mark.parametrize("code", [1, 3])
def test_make_retrain_prints_the_code_that_make_hides(checkout: Checkout, code: int) -> None:
    done = checkout.run("retrain", f"VALENCE=sh -c 'exit {code}' valence")
    assert done.returncode == 2
    assert f"valence retrain ended with {code}, and make ends with 2: call" in done.stderr
    assert checkout.run("retrain", "VALENCE=true").stderr == ""


def test_every_command_of_the_readme_is_a_target(repository: Path) -> None:
    readme = (repository / "README.md").read_text()
    known = targets((repository / "Makefile").read_text())
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", readme, re.MULTILINE))
    assert {"serve", "test"} <= named <= known


def test_ci_runs_the_test_command_of_the_readme(repository: Path) -> None:
    lines = (repository / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"


def test_a_second_setup_does_nothing(checkout: Checkout) -> None:
    assert "Nothing to be done" in checkout.make("setup")


def test_make_test_runs_the_style_and_type_checks(checkout: Checkout) -> None:
    planned = checkout.make("-n", "test")
    for command in ("ruff check", "ruff format --check", "mypy", "pytest"):
        assert command in planned


def test_every_file_is_formatted(checkout: Checkout) -> None:
    assert "left unchanged" in checkout.make("format")


def test_train_and_evaluate_forward_their_arguments(checkout: Checkout) -> None:
    assert "--fresh" in checkout.make("train", "ARGS=--help")
    assert "--baselines" in checkout.make("evaluate", "ARGS=--help")


def test_a_value_with_shell_characters_reaches_the_command(checkout: Checkout) -> None:
    column = """it's "so" good; $(touch pwned) `touch pwned` $HOME \\ #!"""
    (checkout.folder / "a b.csv").write_text("text,label\ngood,1\nbad,0\n")
    for target in ("train", "evaluate"):
        done = checkout.run(target, DATA="a b.csv", TEXT=column, LABEL="label")
        assert done.returncode == 2
        assert repr(column) in done.stderr
    assert not (checkout.folder / "pwned").exists()


def test_serve_installs_what_the_lock_names_by_its_hashes(checkout: Checkout) -> None:
    planned = checkout.make("-n", "-W", "pyproject.toml", "serve").splitlines()
    (locked,) = (line for line in planned if "requirements/locks/base.txt" in line)
    assert "install --require-hashes --no-deps " in locked
    (rest,) = (line for line in planned if "'valence[train]'" in line)
    assert planned.index(locked) < planned.index(rest)


def test_score_writes_a_file(checkout: Checkout) -> None:
    (checkout.folder / "in.csv").write_text("review\ngood\nbad movie\n")
    arguments = ("in.csv", "out.jsonl", "--model", "sentiment", "--text-column", "review")
    subprocess.run(
        [".venv/bin/valence", "score", *arguments],
        cwd=checkout.folder,
        env=checkout.variables,
        check=True,
    )
    rows = [json.loads(line) for line in (checkout.folder / "out.jsonl").read_text().splitlines()]
    assert [row["review"] for row in rows] == ["good", "bad movie"]
    assert all(row["label"] for row in rows)


def test_a_killed_scoring_resumes_and_writes_the_same_bytes(
    checkout: Checkout, tmp_path: Path
) -> None:
    source = tmp_path / "in.jsonl"
    texts = ("good movie", "bad", "", "not good at all !") * 10_000
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    environment = {
        **checkout.variables,
        "BENTOML_HOME": str(checkout.folder / ".valence" / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }

    def start(out: Path, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "valence.service.score", str(source), str(out), *more],
            cwd=checkout.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    whole, out = tmp_path / "whole.jsonl.gz", tmp_path / "out.jsonl.gz"
    kills, engine = 0, None
    for parts in (1, 3, 5):
        running = start(out)
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("out.jsonl.gz.parts/*"))) < parts + 1:
            assert time.monotonic() < deadline
            if running.poll() is not None:
                break
        running.kill()
        kills += running.wait(10) == -signal.SIGKILL
        # it resumes with the engine it began with; now another engine may be measured as the
        # fastest
        engine = engine or run.read_engine_name(out)
        assert not out.exists() or kills < 3
    assert kills >= 2, "killed before it was done"
    assert engine is not None
    assert start(out).wait(60) == 0
    assert start(whole, "--engine", engine).wait(60) == 0
    same = out.read_bytes() == whole.read_bytes()
    assert same  # with a plain == pytest would compare half a megabyte byte by byte
    assert not list(tmp_path.glob("out.jsonl.gz.parts"))


def test_bento_packages_the_models(checkout: Checkout) -> None:
    assert "Successfully built" in checkout.make("bento")
    bento = next((checkout.folder / ".valence" / "bentoml" / "bentos" / "valence").glob("*/"))
    manifest = (bento / "bento.yaml").read_text()
    assert "sentiment:1" in manifest
    assert "topic:1" in manifest


def test_serve_answers_and_stops_on_a_signal(checkout: Checkout) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (checkout.folder / "served.log").open("w") as log:
        server = subprocess.Popen(
            ["make", "serve", f"PORT={port}"],
            cwd=checkout.folder,
            env=checkout.variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        answer = _first_answer(url, server, checkout.folder / "served.log")
        assert answer.json()["model"]["name"] == "sentiment"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def _first_answer(url: str, server: subprocess.Popen[bytes], log: Path) -> httpx.Response:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            answer = httpx.post(f"{url}/v1/classify", json={"text": "good"}, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            return answer
        assert answer.status_code == 503
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_clean_keeps_corpora_and_models(checkout: Checkout, tmp_path: Path) -> None:
    copy = Checkout(checkout.folder, tmp_path / "valence")
    (copy.folder / ".valence").mkdir()
    copy.make("clean")
    assert not (copy.folder / ".venv").exists()
    assert not list(copy.folder.rglob("*.so"))
    assert (copy.folder / ".valence").exists()
    assert Path(sys.executable).exists()


@pytest.mark.slow
def test_wheel_holds_the_native_engine(checkout: Checkout) -> None:
    checkout.make("wheel")
    wheel = next((checkout.folder / "dist").glob("*.whl"))
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "_kernel" in listed.stdout


@pytest.mark.slow
def test_the_sanitizers_find_no_fault_in_the_kernel(checkout: Checkout) -> None:
    checkout.make("sanitize")


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-g++") is None or shutil.which("qemu-aarch64-static") is None,
    reason="g++-aarch64-linux-gnu or qemu-user-static is not installed",
)
def test_the_kernel_for_arm_agrees_with_that_of_this_machine(checkout: Checkout) -> None:
    assert " logits of neon agree" in checkout.make("kernel-arm")
