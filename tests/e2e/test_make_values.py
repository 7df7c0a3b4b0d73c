"""What a user gives to make reaches a command letter by letter, and no shell reads it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]
# values that make, or a shell, would change or run
HOSTILE = (
    "my texts.csv",
    """o'brien's "best"; touch pwned && `touch pwned` $(touch pwned) | touch pwned""",
    """$(shell touch pwned) ${shell touch pwned} costs $5 or $HOME or $$ \\n \\""",
    "* #1 |& <x> {a,b} ~ ! (größe) [中文], %",
    "two\nlines",
)
RECORDER = f"""#!{sys.executable}
import json, os, sys
with open({{record!r}}, "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
"""
Make = Callable[..., list[list[str]]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that runs make with programs that only record how they were called.

    It returns the calls, without the name of the interpreter, and checks that nothing else ran.
    """
    folder, record = tmp_path / "checkout", tmp_path / "calls"
    for name in ("Makefile", "pyproject.toml", "setup.py", "requirements", "deploy/image/build.sh"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, target)
    programs = [folder / ".venv" / "bin" / name for name in ("valence", "torchrun")]
    programs += [
        folder / f".venv-{name}" / "bin" / "python" for name in ("bench", "docs", "engines")
    ]
    programs += [folder / "deploy" / "image" / "build.sh", tmp_path / "python"]
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDER.format(record=str(record)))
        program.chmod(0o755)
    # the interpreter splits ARGS itself; its modules are recorded
    python = folder / ".venv" / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\nexec {tmp_path / "python"} "$@"\n'
    )
    python.chmod(0o755)
    stamps = [
        ".venv/." + name
        for name in (
            *("base", "tracking", "hub", "development", "chaos", "search", "checks"),
            *("mlflow", "store", "feedback", "grpc"),
        )
    ]
    for stamp in [*stamps, ".venv-bench/.installed", ".venv-engines/.installed"]:
        (folder / stamp).touch()

    def make(*arguments: str, code: int = 0, **variables: str) -> list[list[str]]:
        record.unlink(missing_ok=True)
        before = set(tmp_path.rglob("*"))
        done = subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert set(tmp_path.rglob("*")) - before <= {record}
        make.said = done.stderr
        return [json.loads(line) for line in record.read_text().splitlines()] if code == 0 else []

    return make


@pytest.mark.parametrize(
    ("given", "value"), [*(("command", value) for value in HOSTILE), ("environment", HOSTILE[2])]
)
def test_every_value_reaches_its_command_unchanged(make: Make, value: str, given: str) -> None:
    def run(target: str, **values: str) -> list[str]:
        if given == "environment":
            return make(target, **values)[-1]
        return make(target, *(f"{name}={text}" for name, text in values.items()))[-1]

    columns = [
        word for name in ("text", "label", "encoding", "quoting") for word in (f"--{name}", value)
    ]
    data = dict.fromkeys(("DATA", "TEXT", "LABEL", "ENCODING", "QUOTING"), value)
    for target in ("train", "retrain"):
        named = run(target, **data, MODEL=value)
        assert named == ["valence", target, "--data", value, *columns, "--name", value]
        if given == "command":
            # the Makefile sets CONFIG itself, which goes before the environment
            assert run(target, CONFIG=value) == ["valence", target, value]
        assert run(target, MODEL=value) == ["valence", target, value]
    called = run("train", MODEL="mine", RANKS=value, RESTARTS=value)
    assert called[3:6] == [value, "--max-restarts", value]
    judged = run("evaluate", **data, AGAINST=value, MODEL="sentiment")
    wanted = ["valence", "evaluate", "sentiment", "--data", value, *columns, "--against", value]
    assert judged == wanted
    served = run("serve", HOST=value, PORT=value, WORKERS=value)
    assert served == ["valence", "serve", "--host", value, "--port", value, "--workers", value]
    measured = run("bench", ONLY=value, ROUNDS=value, SECONDS=value, AGAINST=value, GIGABYTES=value)
    options = ("--only", "--rounds", "--seconds", "--against", "--gigabytes")
    assert measured[3:] == [word for option in options for word in (option, value)]
    broken = run("chaos", ONLY=value, SHARE=value, TRIES=value)
    assert broken[3:] == ["--only", value, "--share", value, "--tries", value]
    # the value is in the environment of the command
    assert run("engines", ROWS=value)[-1] == "tests/service/cluster"
    assert run("smoke-image", ONLY=value)[3:] == ["--only", value]
    assert run("image", VARIANT=value, TAG=value, BUILD_ARGS=value) == ["build.sh", value, value]


@pytest.mark.parametrize("value", HOSTILE)
def test_the_names_of_models_are_words_and_nothing_else(make: Make, value: str) -> None:
    named = make("serve", f"MODELS={value}")
    words = value.split()
    assert named[:-1] == [["valence", "train", word] for word in words]
    models = [word for name in words for word in ("--model", name)]
    assert named[-1] == ["valence", "serve", "--host", "127.0.0.1", "--port", "3000", *models]
    assert make("evaluate", f"MODEL={value}")[-1] == ["valence", "evaluate", value]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("target", ["train", "retrain", "evaluate", "unit"])
def test_args_are_words_that_may_have_quotes(make: Make, target: str, value: str) -> None:
    words = ["--seed", "1", value]
    assert make(target, f"ARGS={shlex.join(words)}")[-1][-3:] == words
    make(target, "ARGS=--open 'quote", code=2)
    assert "No closing quotation" in make.said


def test_what_is_trained_is_a_preset_a_file_or_data(make: Make) -> None:
    for arguments, planned in [
        ([], "sentiment"),
        (["MODEL=topic"], "topic"),
        (["CONFIG=mine.toml"], "mine.toml"),
        (["DATA=a.csv"], "--data a.csv"),
        (["DATA=a.csv", "MODEL=mine", "TEXT=x"], "--data a.csv --text x --name mine"),
    ]:
        assert make("train", *arguments)[-1] == ["valence", "train", *planned.split()]
    spread = make("train", "RANKS=2")[-1]
    wanted = "--standalone --nproc-per-node 2 --max-restarts 3 -m valence.training train sentiment"
    assert spread == ["torchrun", *wanted.split()]


def test_serve_serves_the_models_that_are_named(make: Make) -> None:
    plain = ["valence", "serve", "--host", "127.0.0.1", "--port", "3000"]
    named = make("serve", "MODELS=topic sentiment", VALENCE_MODELS="")
    assert named[-1] == [*plain, "--model", "topic", "--model", "sentiment"]
    assert make("serve")[-1] == plain
    assert make("serve", "MODELS=topic", VALENCE_MODELS="topic")[-1] == plain


# a hint is one line
@pytest.mark.parametrize("value", [value for value in HOSTILE if "\n" not in value])
def test_an_old_target_shows_a_command_that_a_shell_reads_right(make: Make, value: str) -> None:
    for target, names, options in [
        ("score", ("IN", "OUT", "MODEL", "JOBS"), ("", "", "--model", "--jobs")),
        (
            "check",
            ("DATA", "TEXT", "LABEL", "ENCODING", "QUOTING", "MODEL"),
            ("--data", "--text", "--label", "--encoding", "--quoting", "--name"),
        ),
        (
            "search",
            ("CONFIG", "TRIALS", "MINUTES", "SPACE", "OUT"),
            ("", "--trials", "--minutes", "--space", "--out"),
        ),
        ("promote", ("TAG",), ("",)),
        ("predict", ("MODEL",), ("",)),
        ("experiments", ("DATA", "TASKS", "SEEDS"), ("--data", "--task", "--seed")),
        ("lm", ("LM",), ("",)),
    ]:
        make(target, *(f"{name}={value}" for name in names), code=2)
        (line, *_) = make.said.splitlines()
        shown = line.partition(" is called now: ")[2].rpartition(" (.venv/bin/valence")[0]
        given = [word for option in options for word in ([option] if option else []) + [value]]
        if target == "lm":
            given = [f"training/char_lm/configs/{value}.toml"]
        if target == "predict":
            given.append("TEXT")
        assert shlex.split(shown) == [".venv/bin/valence", target, *given]


def test_every_variable_of_the_makefile_is_tried(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    listed = re.search(r"^VALUES := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert listed is not None
    values = set(listed[1].replace("\\\n", " ").split())
    tried = set(re.findall(r"\b([A-Z_]+)\b", Path(__file__).read_text()))
    assert values - tried <= {"BENTOML_HOME"}
    # a value in the text of a recipe would be read by make and by a shell
    recipes = [line for line in makefile.splitlines() if line.startswith("\t")]
    for name in values:
        assert not [line for line in recipes if re.search(rf"(?<!if )\$\({name}[):]", line)], name


def test_a_store_may_have_any_path(make: Make, tmp_path: Path) -> None:
    store = tmp_path / "my $5 'store'"
    (store / "models" / "sentiment").mkdir(parents=True)
    (store / "models" / "sentiment" / "latest").touch()
    called = make("serve", f"BENTOML_HOME={store}", "MODELS=sentiment:1 topic")
    assert called[0] == ["valence", "train", "topic"]


@pytest.mark.parametrize("value", [name for name in HOSTILE if "\n" not in name])
def test_an_interpreter_may_have_any_path(make: Make, tmp_path: Path, value: str) -> None:
    program = tmp_path / "interpreters" / value
    program.parent.mkdir()
    shutil.copy(tmp_path / "python", program)
    (tmp_path / "checkout" / ".venv" / "bin" / "python").unlink()
    called = make(".venv/bin/python", f"PYTHON={program}")
    assert called[-1] == [value, "-m", "venv", ".venv"]


@pytest.mark.parametrize(
    "name", ["audit", "bench", "docs", "engines", "lock", "mlserver", "policies"]
)
def test_commands_of_another_environment_are_whole(name):
    """A comma in a function of make cuts a command in two."""
    printed = subprocess.run(
        ["make", "--dry-run", "--always-make", f".venv-{name}/.installed"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert f"--group {name}" in printed.stdout
    subprocess.run(["sh", "-n"], input=printed.stdout, check=True, text=True, timeout=60)
