"""The choice among recipes for texts of one's own, on toy texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.cli import main as commands
from valence.training.config.loader import load_configuration
from valence.training.config.schema import Configuration, UnlabelledTexts
from valence.training.corpora.archive import FetchError
from valence.training.data.preparation import load_texts
from valence.training.data.split import split_by_hash
from valence.training.distillation import pairs
from valence.training.embeddings import sentence_encoder
from valence.training.pipeline.selection import recipes, selection, trials
from valence.training.pipeline.selection.judgement import Judged, choose_best, judge_recipe
from valence.training.pipeline.selection.recipes import Recipe
from valence.training.pipeline.selection.trials import FOLDS, split_folds
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.trainer.model_sum import ModelSum

from tests.training.conftest import toy_examples

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _small_vectors(encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "SOURCES", (str(encoder_folder),))


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
    assert [line.partition(":")[0] for line in chosen.chosen[1:]] == [
        "linear",
        "linear with static embeddings",
        "linear, without characters",
        "linear, strength 100",
        "linear with static embeddings, strength 100",
        "linear, strength 100, character weight 2",
        "linear with static embeddings, strength 100, character weight 2",
        "network",
    ]
    assert "95 % interval" in chosen.chosen[0]
    # the toy has one telling word a text, which a network of three epochs does not learn better
    assert chosen.ngrams.alone or (chosen.ngrams.share or 0.0) > 0.0


def test_without_time_the_linear_model_is_the_answer(
    configured: Callable[..., Configuration], run: Run
) -> None:
    chosen = selection.choose_configuration(configured(), run, quality="balanced", minutes=0.0)
    assert chosen.ngrams is not None
    assert chosen.ngrams.alone
    assert any("given up, the time was over" in line for line in chosen.chosen)


@pytest.mark.usefixtures("near_words")
def test_unlabelled_texts_have_a_teacher(
    configured: Callable[..., Configuration],
    run: Run,
    encoder_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipes, "MINILM", str(encoder_folder))
    monkeypatch.setattr(recipes, "_COPIES", 1)
    monkeypatch.setattr(pairs, "_MAX_STEPS", 2)
    path = tmp_path / "more.csv"
    path.write_text("\n".join(["text", *(f"One more great shop {n}." for n in range(9))]))
    base = configured().model_copy(update={"unlabelled": UnlabelledTexts(files=(str(path),))})
    leader = recipes.list_linear_recipes(base, "balanced", texts=400)[1]
    taught = next(
        one
        for one in recipes.list_further_recipes(leader, "balanced", texts=400)
        if one.configuration.distillation is not None
    )
    raw = load_texts(base, run)
    fold = split_folds(raw.splits)[:1]
    (answers,) = trials.try_recipe(taught, raw, fold, run)
    assert answers.network is None
    assert answers.teacher is not None
    assert answers.teacher.shape == answers.ngrams.shape
    assert any("9 unlabelled" in line for line in run.reporter.said)  # type: ignore[attr-defined]
    judged = judge_recipe(taught, [answers])
    assert judged.configuration.unlabelled is not None
    assert judged.title.startswith("linear with static embeddings model, taught by ")
    # without a teacher, nothing reads them
    assert judge_recipe(leader, [answers]).configuration.unlabelled is None
    assert [one.name for one in recipes.list_further_recipes(leader, "fast", texts=400)] == []


def test_what_is_below_the_linear_model_is_not_chosen(
    configured: Callable[..., Configuration],
) -> None:
    """The likelihoods of few texts say little: here the likeliest names more labels wrong."""
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    listed = recipes.list_linear_recipes(configured(), "balanced", texts=400)

    def judge(recipe: Recipe, wrong: int, loss: float) -> Judged:
        named = np.where(np.arange(8) < wrong, 1 - truth, truth)
        logits = np.eye(2, dtype=np.float32)[named]
        answers = trials.Answers(logits, None, truth, 1.0, (1.0, 0.0))
        return Judged(recipe, answers, ModelSum(0.0, 1.0, 1.0, loss), logits, loss)

    linear, equal = judge(listed[0], 2, 0.6), judge(listed[1], 2, 0.5)
    worse = judge(listed[2], 3, 0.4)
    assert choose_best([linear, worse]) is linear
    assert choose_best([linear, equal, worse]) is equal


def test_letters_that_mislead_can_be_left_out(configured: Callable[..., Configuration]) -> None:
    """Names and codes that are written alike have nothing in common."""
    listed = {
        one.name: one for one in recipes.list_linear_recipes(configured(), "balanced", texts=400)
    }
    ngrams = listed["linear, without characters"].configuration.ngrams
    assert ngrams is not None
    assert (ngrams.alone, ngrams.characters, ngrams.vectors) == (True, False, ())
    assert [name for name in listed if "without characters" in name] == [recipes.WORDS]
    many = recipes.list_linear_recipes(configured(), "balanced", texts=recipes.FEW_TEXTS)
    assert [one.name for one in many] == [recipes.LINEAR, recipes.VECTORS]


def test_without_an_encoder_the_other_recipes_are_tried(
    configured: Callable[..., Configuration], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without a network cannot fetch one."""

    def refuse(*_: object, **__: object) -> None:
        raise FetchError("the package index does not answer")

    monkeypatch.setattr(sentence_encoder, "encode_words", refuse)
    chosen = selection.choose_configuration(configured(), run, quality="balanced")
    assert "linear with static embeddings: given up, the package index does not answer" in (
        chosen.chosen
    )
    assert any(line.startswith("network: ") for line in chosen.chosen)


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


def test_all_texts_are_learnt_if_the_test_is_elsewhere(workspace: Workspace, table: Path) -> None:
    result = train(
        *(table, "--quality", "fast", "--no-test", "--class-weights", "balanced"),
        *("--workspace", workspace.root, "--no-track"),
    )
    manifest = artifact.load(store.find_model(result.stdout.strip())).manifest
    assert manifest.training.configuration["data"]["class_weights"] == "balanced"  # type: ignore[index, call-overload]
    assert set(manifest.training.splits) == {"train", "dev"}
    assert sum(manifest.training.splits.values()) == len(toy_examples())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quality", "superb"], "'superb': give fast, balanced, best"),
        (["--quality", "fast"], "a configuration has its settings"),
        (["--minutes", "3"], "a configuration has its settings"),
        (["--unlabelled", "more.csv"], "a configuration has its settings"),
        (["--class-weights", "balanced"], "a configuration has its settings"),
        (["--no-test"], "a configuration has its settings"),
    ],
)
def test_a_quality_that_means_nothing_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        train("sentiment", *arguments)
