"""Whatever operation on files fails, a command ends with one line, and the store is whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from valence.service.classifier import artifact
from valence.training.registry import store

from tests.support.failing_files import failing_files
from tests.support.model_stores import models_in
from tests.training.cli.conftest import OUTPUT_BEFORE

pytestmark = pytest.mark.integration

# how the output of a command ends if it is whole
END = {"cells": "</html>", "experiments": "<!-- /experiments -->\n"}
QUICK = ("--engine", "reference", "--no-baselines")
PLACE = ("--workspace", "{workspace}")
# each with the number of failures that it must survive at least
COMMANDS = {
    "promote": (("promote", "{tag}"), 3),
    "rollback": (("rollback", "toy"), 3),
    "alias": (("alias", "set", "toy@blue", "1"), 3),
    "evaluate": (("evaluate", "toy", *QUICK, "--workspace", "{workspace}"), 4),
    "check": (("check", "{file}", "--quick", "--workspace", "{workspace}"), 3),
    "cells": (("cells", "verse", "--shown", "9", "--output", "{output}", *PLACE), 3),
}
TRAIN = ("train", "{file}", "--no-baselines", "--no-track", "--device", "cpu", "--unchecked")
SLOW = {
    "train": ((*TRAIN, "--workspace", "{workspace}"), 10),
    "retrain": (("retrain", *TRAIN[1:2], "--no-track", "--device", "cpu", *PLACE), 10),
    "search": (
        ("search", "{file}", "--trials", "1", "--device", "cpu", "--out", "{output}", *PLACE),
        5,
    ),
    "experiments": (
        (
            *("experiments", "--data", "{folder}", "--seed", "0", "--page", "{output}"),
            *("--unchecked", "--no-track", "--device", "cpu", *PLACE),
        ),
        10,
    ),
    "lm": (("lm", "{verse}", "--device", "cpu", "--fresh", *PLACE), 3),
    "score": (
        (
            *("score", "{texts}", "{output}", "--out-format", "csv", "--model", "toy"),
            *("--engine", "reference"),
        ),
        5,
    ),
}
# codes of a command that has done its work
DONE = {"retrain": (0, 3)}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``valence``; it returns the exit code and the errors."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["valence", *arguments])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        return int(ended.value.code or 0), capfd.readouterr().err

    return run


def champion_of_the_store() -> str:
    """The champion, after a check that its files are whole."""
    held = store.read_champion("toy")
    assert held is not None
    assert artifact.load(store.find_model(f"toy:{held.version}")).manifest.name == "toy"
    return held.version


def fail_at_each(
    run: Run, places: Callable[[str], dict[str, str]], command: tuple[str, ...], *, most: int
) -> int:
    """Fail operations of a command, at most so many; return how many failures were told."""

    def attempt(name: str, at: int) -> tuple[int, int, str]:
        place = places(name)
        with models_in(Path(place["models"])):
            for version in (
                "1",
                *(() if command[0] == "promote" else (place["tag"].split(":")[1],)),
            ):
                store.promote_version(f"toy:{version}")
            before = champion_of_the_store()
            with failing_files(Path(place["folder"])) as files:
                files.at = at
                code, said = run(*(word.format(**place) for word in command))
            after = champion_of_the_store()
            assert after == before or command[0] in ("promote", "rollback", "retrain")
            assert all(
                artifact.load(store.find_model(f"toy:{version}"))
                for version in store.list_versions("toy")
            )
            output = Path(place["output"]).read_text()
            assert output == OUTPUT_BEFORE or output.endswith(END.get(command[0], "\n")), output[
                -99:
            ]
            if code not in done:
                again, told = run(*(word.format(**place) for word in command))
                assert again in done, (at, told)
        return code, files.count, said

    done = DONE.get(command[0], (0,))
    code, count, said = attempt("counted", -1)
    assert code in done, said
    told = 0
    chosen = min(most, count)
    steps = [1 + index * count // chosen for index in range(chosen)]
    for at in steps:
        code, _, said = attempt(f"failed-{at}", at)
        assert "Traceback" not in said
        if code not in done:
            told += 1
            last = said.splitlines()[-1]
            assert code == 1, said
            # `experiments` tells the tasks that failed, each with its error
            assert last.startswith(("error: ", "failed: ")), said
            assert os.strerror(errno.ENOSPC) in said, said
    return told


@pytest.mark.parametrize("name", COMMANDS)
def test_no_failed_operation_breaks_the_store(run: Run, places, name: str) -> None:
    command, least = COMMANDS[name]
    assert fail_at_each(run, places, command, most=8) >= least


@pytest.mark.slow
@pytest.mark.parametrize("name", [*COMMANDS, *SLOW])
def test_no_failed_operation_at_all_breaks_the_store(run: Run, places, name: str) -> None:
    command, least = {**COMMANDS, **SLOW}[name]
    assert fail_at_each(run, places, command, most=1_000) >= least


# what each command that works in this process writes to; all others only print
ALL: dict[str, tuple[str, ...]] = {
    **{name: command for name, (command, _) in {**COMMANDS, **SLOW}.items()},
    "fetch": ("fetch", "toy", *PLACE),
    "curve": ("curve", "{file}", "--picture", "{folder}/curve.svg", *PLACE),
    "start": (
        *("start", "{texts}", "--labels", "good,bad", "--confirmed", "{folder}/confirm.csv"),
        *PLACE,
    ),
    "sample": ("sample", "verse", *PLACE),
    "faithfulness": ("faithfulness", "toy", "--engine", "reference", "--workspace", "{workspace}"),
    "typos": ("typos", "toy", "--engine", "reference", "--workspace", "{workspace}"),
    "show": ("show", "toy"),
    "teach": ("teach", "{taught}", "{folder}/answers.safetensors", "--device", "cpu", *PLACE),
    "export": ("export", "mlflow", "toy", "--out", "{folder}/exported", "--engine", "reference"),
    "push": ("push", "{tag}", "{folder}/source"),
    "pull": ("pull", "toy:2", "{folder}/source"),
    "shadow": ("shadow", "report", "toy", "--from", "{texts}"),
    "feedback": ("feedback", "export", "--database", "sqlite:///{folder}/feedback.db"),
    "queue": (
        *("queue", "toy", "{texts}", "--out", "{folder}/queue.csv"),
        *("--out", "{folder}/queue.json", "--engine", "reference"),
    ),
    "predict": ("predict", "toy", "great", "--engine", "reference"),
    "keys": ("keys", "new", "name"),
    "bento": ("bento",),
}
# it takes the place of the process
ALONE = {"serve"}


def test_every_command_is_tried() -> None:
    names = {command.__name__ for group in commands.GROUPS.values() for command in group}
    names |= {str(group.name) for group in commands.app.registered_groups}
    assert names == ALL.keys() | ALONE


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "code",
    [
        errno.ENOSPC,
        *(pytest.param(code, marks=pytest.mark.slow) for code in (errno.EROFS, errno.EACCES)),
    ],
)
def test_a_disk_that_takes_nothing_is_one_line(
    run: Run, places, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    place = places("place")
    monkeypatch.chdir(place["folder"])
    with models_in(Path(place["models"])):
        store.promote_version("toy:1")
        store.promote_version(place["tag"])
        before = champion_of_the_store()
        with failing_files(Path(place["folder"]), code) as files:
            files.always = True
            ended, said = run(*(word.format(**place) for word in ALL[name]))
        assert "Traceback" not in said
        if ended:
            assert ended == 1, said
            # `experiments` tells the tasks that failed, each with its error
            last = "failed: " if name == "experiments" else "error: "
            assert said.splitlines()[-1].startswith(last), said
        assert champion_of_the_store() == before


@pytest.mark.parametrize("name", ["cells", "search", "experiments"])
def test_an_output_that_is_a_folder_is_refused_first(run: Run, places, name: str) -> None:
    place = places("place")
    Path(place["output"]).unlink()
    Path(place["output"]).mkdir()
    with models_in(Path(place["models"])):
        code, said = run(*(word.format(**place) for word in {**COMMANDS, **SLOW}[name][0]))
    assert code == 1
    assert said == f"error: {place['output']} is a folder; give the path of a file to write\n"


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("keys", "new", "a")])
def test_a_full_standard_output_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "valence.training", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device: the disk is full")
    assert done.stderr.count("\n") == 1
