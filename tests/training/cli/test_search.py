"""``valence search``: through typer's runner, and as a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from click.testing import Result
from typer.testing import CliRunner
from valence.service.errors import ConfigurationError
from valence.training.cli import search
from valence.training.config import loader
from valence.training.experiments.search import trial as trials

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
CONFIGURATION = """
name = "mine"
labels = ["bad", "good"]
[data]
files = "{data}"
[words]
vectors = ""
learned_size = 4
[network]
hidden_size = 3
[optimization]
epochs = 2
batch_tokens = 200
"""
SPACE = "[optimization]\nlearning_rate = { low = 0.001, high = 0.1, log = true }\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration of a small network for 240 texts."""
    data = tmp_path / "texts.csv"
    subjects = [f"{a} {b}" for a in ("film", "song", "meal", "game") for b in range(30)]
    rows = [
        f"the {subject} was {word} indeed,{label}"
        for subject in subjects
        for word, label in (("lovely", "good"), ("awful", "bad"))
    ]
    data.write_text("\n".join(["text,label", *rows]))
    path = tmp_path / "mine.toml"
    path.write_text(CONFIGURATION.format(data=data))
    (tmp_path / "space.toml").write_text(SPACE)
    return path


def arguments(file: Path, *more: str) -> list[str]:
    folder = file.parent
    return [
        "search", str(file), "--space", str(folder / "space.toml"), "--workspace",
        str(folder / "workspace"), "--device", "cpu", "--unchecked", *more,
    ]  # fmt: skip


def run(file: Path, *more: str) -> Result:
    result = CliRunner().invoke(commands.app, arguments(file, *more))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_standard_output_holds_only_the_path_of_the_best(file: Path) -> None:
    result = run(file, "--trials", "2")
    assert result.exit_code == 0
    out = Path(result.stdout.strip())
    assert out == file.parent / "workspace" / "search" / "mine.toml"
    assert loader.load_configuration(out).name == "mine"
    assert "learning_rate" in result.stderr
    assert f"valence train {out}" in result.stderr


def test_the_paths_of_result_and_study_can_be_set(file: Path) -> None:
    out = file.parent / "made" / "best.toml"
    result = run(file, "--trials", "1", "--study", "other", "--out", str(out))
    assert result.stdout.strip() == str(out)
    assert (file.parent / "workspace" / "search" / "other.db").exists()
    assert "of study 'other'" in out.read_text()


def test_without_a_finished_trial_no_file_is_written(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="no trial came to its end"):
        run(file, "--minutes", "0")
    assert not (file.parent / "workspace" / "search" / "mine.toml").exists()


def test_an_interrupted_search_has_the_exit_code_of_shells(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "train_trial", interrupted)
    assert run(file, "--trials", "1").exit_code == search.INTERRUPTED


def test_without_optuna_the_command_names_the_package(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="a search needs the extra 'search': pip install"):
        run(file)
    assert f"\n{search.EXTRA} = [" in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("name", ["../up", "Upper", "a" * 64])
def test_the_name_of_a_study_must_be_a_valid_file_name(file: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="a name has at most 63 small letters"):
        run(file, "--study", name)


def test_a_killed_search_resumes_with_its_trials(file: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "valence.training", *arguments(file, "--trials", "1000")],
        cwd=file.parent,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("trial 2"):
                process.send_signal(signal.SIGKILL)
                break
        else:
            pytest.fail("".join(said))
    assert process.returncode == -signal.SIGKILL
    best = file.parent / "workspace" / "search" / "mine.toml"
    assert loader.load_configuration(best).name == "mine"
    # more trials may have ended between the line and the kill
    result = run(file, "--trials", "6")
    assert result.exit_code == 0
    assert "continuing study 'mine' after" in result.stderr or "already" in result.stderr
