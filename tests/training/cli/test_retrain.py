"""``retrain``, ``promote`` and ``rollback`` as cron jobs and users call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.errors import ArtifactError, ConfigurationError
from valence.training.registry import store
from valence.training.runtime.workspace import Workspace

# each test trains and judges several networks
pytestmark = pytest.mark.slow

CONFIGURATION = """
name = "toy"
labels = ["negative", "neutral", "positive"]
[data]
corpora = ["toy"]
[text]
minimum_count = 1
[words]
vectors = "none"
learned_size = 8
[network]
hidden_size = 4
[optimization]
learning_rate = {rate}
batch_tokens = 150
epochs = 3
warmup_steps = 0
"""


@pytest.fixture
def call_command(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs a command; it returns exit code, output and errors."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("great 1 2\nawful -1 -2\n")

    def call_command(*arguments: str, rate: float = 0.03):
        path = workspace.root / "configs" / "toy.toml"
        path.parent.mkdir(exist_ok=True)
        text = CONFIGURATION.format(rate=rate).replace('"none"', f'"{vectors}"')
        path.write_text(text)
        result = CliRunner().invoke(commands.app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call_command


def test_retraining_exits_with_0_then_3_and_prints_a_verdict(call_command, workspace) -> None:
    """And prints nothing else."""
    common = ("retrain", "toy", "--engine", "reference", "--workspace", str(workspace.root))
    first = call_command(*common)
    assert first.exit_code == 0
    # tracked like any training
    assert list((workspace.root / "mlruns").rglob("dev_macro_f1"))
    assert list((workspace.root / "curves").rglob("*tfevents*"))
    verdict, file = first.stdout.splitlines()
    assert verdict.startswith("promoted: toy:")
    assert json.loads(Path(file.partition(",")[0]).read_text())["decision"] == "promoted"
    assert first.stderr == ""

    before = len(list((workspace.root / "mlruns").rglob("dev_macro_f1")))
    worse = call_command(*common, "--no-track", rate=1e-6)
    assert len(list((workspace.root / "mlruns").rglob("dev_macro_f1"))) == before
    assert worse.exit_code == 3
    assert worse.stdout.startswith("kept: toy:")
    assert "macro-F1 is worse" in worse.stdout

    as_a_job = call_command(*common, "--no-track", "--kept-exit-code", "0", rate=1e-6)
    assert as_a_job.exit_code == 0
    assert as_a_job.stdout.startswith("kept: toy:")

    champion, challenger = store.list_versions("toy")
    assert call_command("promote", f"toy:{challenger}").stdout == f"toy:{challenger}\n"
    assert call_command("rollback", "toy").stdout == f"toy:{champion}\n"
    with pytest.raises(ArtifactError, match="no champion of toy to go back to"):
        call_command("rollback", "toy")


def test_training_keeps_the_champion_and_names_promote(call_command, workspace) -> None:
    path = str(workspace.root / "configs" / "toy.toml")
    common = ("--no-baselines", "--no-track", "--workspace", str(workspace.root))
    first = call_command("train", path, *common).stdout.strip()
    store.promote_version(first)
    second = call_command("train", path, "--seed", "1", *common)
    assert f"{first} is the champion and is still what is served" in second.stderr
    assert f"`valence promote {second.stdout.strip()}`" in second.stderr
    assert f"toy:{store.find_model('toy').name}" == first


def test_a_missing_configuration_names_the_searched_places(call_command) -> None:
    with pytest.raises(ConfigurationError, match="absent: no such file; configurations that"):
        call_command("retrain", "absent")


def test_a_name_near_a_preset_is_a_warning_once(call_command, workspace) -> None:
    path = workspace.root / "configs" / "mine.toml"
    common = ("--no-baselines", "--no-track", "--workspace", str(workspace.root))
    call_command("promote", "--help")  # writes the file of the toy model
    path.write_text(path.with_name("toy.toml").read_text().replace('"toy"', '"sentimnt"', 1))
    made = call_command("train", str(path), *common)
    assert "'sentimnt' is the name of a new model, near to 'sentiment'" in made.stderr
    again = call_command("train", str(path), "--seed", "1", *common)
    assert "name of a new model" not in again.stderr
