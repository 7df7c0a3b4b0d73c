"""The choice among recipes for texts of one's own, on toy texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.cli import main as commands
from valence.training.config.loader import load_configuration
from valence.training.config.schema import Configuration
from valence.training.data.split import split_by_hash
from valence.training.pipeline.selection import selection, trials
from valence.training.pipeline.selection.trials import FOLDS, split_folds
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import toy_examples

pytestmark = pytest.mark.integration


@pytest.fixture
def run(workspace: Workspace, silent: type[Reporter]) -> Run:
    return Run(workspace, silent())


def test_every_text_but_the_test_texts_is_judged_once() -> None:
    splits = split_by_hash(toy_examples())
    folds = split_folds(splits)
    assert len(folds) == FOLDS
    judged = [example for fold in folds for example in fold.splits.of(fold.judged)]
    assert sorted(one.text for one in judged) == sorted(
        one.text for one in (*splits.train, *splits.dev)
    )
    for fold, _ in folds:
        parts = [{example.text for example in part} for part in (fold.train, fold.dev, fold.test)]
        assert all(parts)
        assert len(set.union(*parts)) == sum(map(len, parts))


def test_many_dev_texts_are_judged_as_the_final_training_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    splits = split_by_hash(toy_examples())
    monkeypatch.setattr(trials, "ENOUGH_DEV_TEXTS", len(splits.dev))
    assert split_folds(splits) == ((splits, "dev"),)


def test_the_choice_is_trained_and_explains_itself(
    configured: Callable[..., Configuration], run: Run
) -> None:
    chosen = selection.choose_configuration(configured(), run, quality="balanced")
    assert chosen.ngrams is not None
    assert chosen.chosen[0].startswith("best on these data: ")
    assert "macro-F1" in chosen.chosen[0]
    assert "microseconds a text" in chosen.chosen[0]
    assert [line.partition(":")[0] for line in chosen.chosen[1:]] == ["linear", "network"]
    # the toy has one telling word a text, which a network of three epochs does not learn better
    assert chosen.ngrams.alone or (chosen.ngrams.share or 0.0) > 0.0


def test_without_time_the_linear_model_is_the_answer(
    configured: Callable[..., Configuration], run: Run
) -> None:
    chosen = selection.choose_configuration(configured(), run, quality="balanced", minutes=0.0)
    assert chosen.ngrams is not None
    assert chosen.ngrams.alone
    assert any("given up, the time was over" in line for line in chosen.chosen)


def train(*arguments: object) -> Result:
    result = CliRunner().invoke(commands.app, ["train", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "toy-texts.csv"
    lines = [f"{example.text},{example.label}" for example in toy_examples()]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def test_a_file_is_trained_fast(workspace: Workspace, table: Path) -> None:
    result = train(table, "--quality", "fast", "--workspace", workspace.root, "--no-track")
    manifest = artifact.load(store.find_model(result.stdout.strip())).manifest
    assert (manifest.architecture.layers, manifest.architecture.ngrams > 0) == (0, True)
    written = load_configuration(workspace.root / "configs" / "toy-texts.toml")
    assert written.ngrams is not None
    assert written.ngrams.alone
    assert written.as_json() == manifest.training.configuration


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quality", "superb"], "'superb': give fast, balanced, best"),
        (["--quality", "fast"], "a configuration has its settings"),
        (["--minutes", "3"], "a configuration has its settings"),
    ],
)
def test_a_quality_that_means_nothing_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        train("sentiment", *arguments)
