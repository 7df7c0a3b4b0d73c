"""``retrain``, ``promote`` and ``rollback`` as cron and people call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import valence.training.__main__ as commands
from typer.testing import CliRunner
from valence.service.errors import ArtifactError, ConfigurationError
from valence.training.registry import store
from valence.training.runtime.workspace import Workspace

# each trains and judges several networks
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
def call(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command; its exit code, output and errors."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("great 1 2\nawful -1 -2\n")

    def call(*arguments: str, rate: float = 0.03):
        path = workspace.root / "configs" / "toy.toml"
        path.parent.mkdir(exist_ok=True)
        text = CONFIGURATION.format(rate=rate).replace('"none"', f'"{vectors}"')
        path.write_text(text)
        result = CliRunner().invoke(commands.app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_retraining_ends_with_0_then_3_and_says_no_more_than_the_verdict(call, workspace) -> None:
    common = ("retrain", "toy", "--engine", "reference", "--workspace", str(workspace.root))
    first = call(*common)
    assert first.exit_code == 0
    # tracked as any training is
    assert list((workspace.root / "mlruns").rglob("dev_macro_f1"))
    assert list((workspace.root / "curves").rglob("*tfevents*"))
    verdict, file = first.stdout.splitlines()
    assert verdict.startswith("promoted: toy:")
    assert json.loads(Path(file.partition(",")[0]).read_text())["decision"] == "promoted"
    assert first.stderr == ""

    before = len(list((workspace.root / "mlruns").rglob("dev_macro_f1")))
    worse = call(*common, "--no-track", rate=1e-6)
    assert len(list((workspace.root / "mlruns").rglob("dev_macro_f1"))) == before
    assert worse.exit_code == 3
    assert worse.stdout.startswith("kept: toy:")
    assert "macro-F1 is worse" in worse.stdout

    as_a_job = call(*common, "--no-track", "--kept-exit-code", "0", rate=1e-6)
    assert as_a_job.exit_code == 0
    assert as_a_job.stdout.startswith("kept: toy:")

    champion, challenger = store.list_versions("toy")
    assert call("promote", f"toy:{challenger}").stdout == f"toy:{challenger}\n"
    assert call("rollback", "toy").stdout == f"toy:{champion}\n"
    with pytest.raises(ArtifactError, match="no champion of toy to go back to"):
        call("rollback", "toy")


def test_training_leaves_the_champion_and_says_how_to_promote(call, workspace) -> None:
    path = str(workspace.root / "configs" / "toy.toml")
    common = ("--no-baselines", "--no-track", "--workspace", str(workspace.root))
    first = call("train", path, *common).stdout.strip()
    store.promote_version(first)
    second = call("train", path, "--seed", "1", *common)
    assert f"{first} is the champion and stays what is served" in second.stderr
    assert f"make promote TAG={second.stdout.strip()}" in second.stderr
    assert f"toy:{store.find_model('toy').name}" == first


def test_a_configuration_that_is_nowhere_is_told_where_it_was_looked_for(call) -> None:
    with pytest.raises(
        ConfigurationError, match=r"training/config/presets/absent\.toml nor .*--data"
    ):
        call("retrain", "absent")
