"""A wrong argument of a command is one line and exit code 2."""

from __future__ import annotations

import sys

import pytest
import valence.training.cli.main as commands


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            ("train", "--epoch", "3"),
            "no such option: --epoch; see `valence train --help`",
        ),
        (
            ("evaluate", "toy", "--agianst", "x"),
            "no such option: --agianst; did you mean --against? see `valence evaluate --help`",
        ),
        (
            ("train", "--seed", "many"),
            "invalid value for '--seed': Input should be a valid integer",
        ),
        (
            ("train", "--seed", "-1"),
            "invalid value for '--seed': Input should be greater than or equal to 0, not ",
        ),
        (
            ("predict", "toy", "text", "--truncation", "midle"),
            "invalid value for '--truncation': Value error, 'midle' is not one of 'error'",
        ),
        (("evaluate",), "missing argument 'model'; see `valence evaluate --help`"),
        (("promote", "a:1", "b:2"), "got unexpected extra argument(s) (b:2); see `valence promote"),
        (
            ("trian",),
            "no such command 'trian'. Did you mean 'train', 'retrain'? see `valence --help`",
        ),
        (("experiments",), "missing option '--data'; see `valence experiments --help`"),
    ],
)
def test_a_wrong_argument_is_one_line(monkeypatch, capsys, given, told) -> None:
    monkeypatch.setattr(sys, "argv", ["valence", *given])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith(f"error: {told}")
    assert said.endswith("--help`\n")
    assert said.count("\n") == 1
    assert given[-1] in said or given[-1] in ("evaluate", "experiments", "3", "x")


def test_no_argument_at_all_shows_the_help(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["valence"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 2
    assert "Train, evaluate and serve" in "".join(capsys.readouterr())


def test_the_exit_code_of_a_command_is_that_of_the_process(monkeypatch) -> None:
    def end() -> None:
        raise commands.typer.Exit(3)

    monkeypatch.setattr(commands, "app", commands.typer.Typer())
    commands.app.command()(end)
    monkeypatch.setattr(sys, "argv", ["valence"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 3
