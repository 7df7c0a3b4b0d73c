"""A store and a workspace that commands may harm, with all that they read."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from valence.training.experiments.tasks import task
from valence.training.pipeline.selection import recipes
from valence.training.pipeline.training_run import Trained
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import toy_examples

OUTPUT_BEFORE = "what was there before\n"
CONFIGURATION = """
name = "toy"
labels = ["negative", "neutral", "positive"]
[data]
corpora = ["toy"]
[words]
vectors = ""
learned_size = 4
[network]
hidden_size = 4
[optimization]
epochs = 1
"""
VERSE = """
name = "verse"
[data]
files = ["{text}"]
[network]
hidden_size = 8
layers = 1
[optimization]
streams = 8
epochs = 1
"""
# a public task that is trained in a second
TASK = {
    "name": "sst2",
    "metric": "accuracy",
    "goal": 0.9,
    "hub": {"name": "none/none"},
    "text": {"max_tokens": 20, "minimum_count": 1},
    "words": {"vectors": [], "learned_size": 4},
    "network": {"hidden_size": 4},
    "optimization": {"epochs": 1, "batch_tokens": 150},
}


@pytest.fixture(scope="module")
def character_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a character model called verse."""
    folder = tmp_path_factory.mktemp("verse")
    (folder / "verse.txt").write_text('He said "yes 1" (or no).\n' * 200)
    (folder / "verse.toml").write_text(VERSE.format(text=folder / "verse.txt"))
    command = ("lm", folder / "verse.toml", "--device", "cpu", "--workspace", folder / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["valence", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            commands.main()
    assert not ended.value.code
    return folder


@pytest.fixture
def places(
    stored: tuple[Trained, Workspace],
    trained: tuple[Trained, Workspace, Path],
    character_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], dict[str, str]]:
    """Return a function that makes a store and a workspace of its own, with two versions.

    The older version was promoted first, so that a command can go back to it.
    """
    monkeypatch.setattr(task, "load_tasks", lambda _: (task.Task.model_validate(TASK),))
    monkeypatch.setattr(recipes, "SOURCES", ())
    made, workspace, models = trained
    file = tmp_path / "toy.toml"
    file.write_text(CONFIGURATION)
    taught = tmp_path / "taught.toml"
    taught.write_text(f'{CONFIGURATION}[distillation]\nteacher = "n-grams"\ncopies = 0\n')
    texts = tmp_path / "texts.csv"
    texts.write_text("text\ngreat\n")

    def make(name: str) -> dict[str, str]:
        folder = tmp_path / name
        shutil.copytree(models, folder / "models")
        shutil.copytree(workspace.root, folder / "workspace")
        characters = character_model / "workspace" / "characters"
        shutil.copytree(characters, folder / "workspace" / "characters")
        (folder / "sst2").mkdir()
        rows = [json.dumps({"text": one.text, "label": one.label}) + "\n" for one in toy_examples()]
        (folder / "sst2" / "train.jsonl").write_text("".join(rows))
        (folder / "output").write_text(OUTPUT_BEFORE)
        version = made.tag.partition(":")[2]
        other = folder / "models" / "toy" / "1"
        shutil.copytree(folder / "models" / "toy" / version, other)
        shutil.copytree(other, folder / "source" / "toy" / "2")
        return {
            "tag": made.tag,
            "models": str(folder / "models"),
            "workspace": str(folder / "workspace"),
            "file": str(file),
            "taught": str(taught),
            "texts": str(texts),
            "verse": str(character_model / "verse.toml"),
            "folder": str(folder),
            "output": str(folder / "output"),
        }

    return make
