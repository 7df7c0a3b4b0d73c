"""A model from the names of labels: two calls of the command on toy texts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.cli import main as commands
from valence.training.labelling import proposals
from valence.training.pipeline.selection import recipes
from valence.training.registry import store
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import toy_examples

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _small_encoder(encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "MINILM", str(encoder_folder))
    monkeypatch.setattr(recipes, "SOURCES", (str(encoder_folder),))
    # the toy has no list of words with vectors
    monkeypatch.setattr(recipes, "is_pretrained_list", lambda _: False)


def start(*arguments: object) -> Result:
    result = CliRunner().invoke(commands.app, ["start", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_confirmed_texts_judge_what_proposed_texts_teach(
    workspace: Workspace, tmp_path: Path, model_store: Path
) -> None:
    examples = {example.text: str(example.label) for example in toy_examples()}
    texts, confirmed = tmp_path / "texts.csv", tmp_path / "confirm.csv"
    texts.write_text("\n".join(["text", *examples]))
    options = (
        *("--labels", "negative: awful ugly,neutral: square local,positive: great lovely"),
        *("--confirmed", confirmed, "--count", 60, "--name", "begun", "--no-track"),
        *("--workspace", workspace.root),
    )
    assert start(texts, *options).stdout == ""
    with confirmed.open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 61
    # a person corrects the labels
    with confirmed.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([text, examples[text]] for text, _ in rows[1:])])
    tag = start(texts, *options).stdout.strip()
    manifest = artifact.load(store.find_model(tag)).manifest
    assert manifest.labels == ("negative", "neutral", "positive")
    assert manifest.architecture.layers == 0
    assert manifest.training.splits["dev"] == 60
    judged = {row[0] for row in rows[1:]}
    with (workspace.root / "configs" / "begun-proposed.csv").open(newline="") as file:
        learnt = [row[0] for row in csv.reader(file)][1:]
    assert learnt
    assert not judged & set(learnt)


def test_a_confirmed_label_of_another_name_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    texts, confirmed = tmp_path / "texts.csv", tmp_path / "confirm.csv"
    texts.write_text("\n".join(["text", *(example.text for example in toy_examples())]))
    confirmed.write_text("text,label\nThe film was great.,postive\n")
    with pytest.raises(ConfigurationError, match="'postive' is none of the labels"):
        start(
            *(texts, "--labels", "negative,positive", "--confirmed", confirmed),
            *("--workspace", workspace.root),
        )
