from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer.testing

import training.__main__ as commands
from service.classifier import artifact
from service.errors import ConfigurationError
from training import model_card, pipeline, store
from training.configuration import Configuration, Distillation
from training.corpora import Example
from training.distillation import ensemble, transfer, transformer
from training.distillation.ensemble import Ensemble
from training.distillation.neighbours import Neighbours
from training.distillation.teacher import Origin
from training.distillation.transfer import Taught
from training.pipeline import Trained, Workspace
from training.progress import Reporter
from training.split import Splits
from training.vectors import glove
from training.vectors.table import Table

LABELS = ("negative", "neutral", "positive")


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a teacher was asked that is not tuned: sure of "positive" where there is an "e"."""
    asked: list[str] = []

    def logits(self: Ensemble, texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        rows = [[0.0, 0.0, 9.0] if "e" in text else [9.0, 0.0, 0.0] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 3)

    monkeypatch.setattr(Ensemble, "logits", logits)
    monkeypatch.setattr(Ensemble, "origin", Origin("one", "somewhere", "MIT"))
    return asked


@pytest.fixture
def teach(
    configured: Callable[..., Configuration],
    encoder_folder: Path,
    splits: Splits,
    silent: type[Reporter],
    tmp_path: Path,
) -> Callable[..., Taught]:
    """Lets the teacher answer for the toy texts; what is given changes its settings."""
    chosen = {"teacher": str(encoder_folder), "copies": 0}

    def teach(
        unlabelled: Sequence[Example] = (),
        *,
        varied: Sequence[str] = (),
        **settings: object,
    ) -> Taught:
        return transfer.teach(
            configured(distillation=chosen | settings),
            splits,
            varied,
            unlabelled,
            folder=tmp_path / "teachers",
            cache=tmp_path,
            device=torch.device("cpu"),
            reporter=silent(),
        )

    return teach


def rows(examples: tuple[Example, ...]) -> np.ndarray:
    return np.array([[(one.shares or {})[label] for label in LABELS] for one in examples])


def test_a_labelled_text_is_to_be_called_what_people_and_the_teacher_say(
    teach: Callable[..., Taught], splits: Splits, answered: list[str]
) -> None:
    mixed = rows(teach(weight=0.3).examples)
    people = rows(splits.train)
    for row, given, example in zip(mixed, people, splits.train, strict=True):
        says = np.eye(3)[2 if "e" in example.text else 0]
        np.testing.assert_allclose(row, 0.7 * given + 0.3 * says, atol=1e-3)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)


def test_the_temperature_softens_what_the_teacher_says(
    teach: Callable[..., Taught], answered: list[str]
) -> None:
    soft = rows(teach(weight=1.0, temperature=9.0).examples)
    np.testing.assert_allclose(soft.max(axis=1), np.e / (np.e + 2), rtol=1e-6)


def test_of_a_varied_text_only_the_teacher_says_something(
    teach: Callable[..., Taught], answered: list[str]
) -> None:
    taught = teach(varied=["one", "two"])
    varied = [one for one in taught.examples if one.corpus == "augmented"]
    assert [one.label for one in varied] == ["positive", "negative"]
    assert {"one", "two"} <= set(answered)


def test_copies_spare_what_judges_and_are_made_of_words_that_are_near(
    splits: Splits, silent: type[Reporter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Neighbours, dict[str, Any]]] = []
    monkeypatch.setattr(transfer, "vary", lambda _, near, **rest: asked.append((near, rest)) or ())
    words = {word: row for row, word in enumerate([*map(str, range(200)), "the", "film"])}
    monkeypatch.setattr(transfer, "fetch", lambda package, cache, progress: cache)
    monkeypatch.setattr(glove, "read", lambda _: Table(words, np.ones((202, 2), dtype=np.float32)))
    settings = Distillation(copies=2, seed=3)
    transfer.augmented(settings, splits, cache=tmp_path, reporter=silent())
    [(near, rest)] = asked
    assert set(rest["without"]) == {one.text for one in (*splits.dev, *splits.test)}
    assert (rest["copies"], rest["seed"]) == (2, 3)
    assert near.instead_of("film", 0.5) == "the"
    for none in (None, Distillation(copies=0)):
        assert transfer.augmented(none, splits, cache=tmp_path, reporter=silent()) == ()
    assert len(asked) == 1


def test_nobody_looks_at_the_labels_of_unlabelled_texts(
    teach: Callable[..., Taught], splits: Splits, answered: list[str]
) -> None:
    others = (Example("Something else.", "no label of ours", "elsewhere"),)
    taught = teach(others)
    assert taught.examples[-1].text == "Something else."
    assert (taught.examples[-1].label, taught.examples[-1].corpus) == ("positive", "unlabelled")
    assert taught.record.texts == {"labelled": len(splits.train), "augmented": 0, "unlabelled": 1}


def test_a_teacher_is_judged_on_what_it_has_not_learnt(
    teach: Callable[..., Taught], answered: list[str]
) -> None:
    assert set(teach().record.metrics) == {"dev", "test"}


@pytest.fixture
def run(
    workspace: Workspace,
    configured: Callable[..., Configuration],
    silent: type[Reporter],
    encoder_folder: Path,
    near_words: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Trained]:
    """Distils the toy classifier; what is given changes the configuration."""
    monkeypatch.setattr(transformer, "_BATCH_PIECES", 128)

    def run(*, seed: int = 0, teacher: str = str(encoder_folder), **data: object) -> Trained:
        return pipeline.train(
            configured(
                distillation={
                    "teacher": teacher,
                    "networks": 2,
                    "learning_rate": 0.01,
                    "copies": 1,
                },
                optimization={"seed": seed},
                data=data,
            ),
            workspace=workspace,
            reporter=silent(),
            device=torch.device("cpu"),
            with_baselines=False,
        )

    return run


def test_a_distilled_classifier_is_trained_recorded_and_served_like_any_other(
    run: Callable[..., Trained], encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run()
    record = made.manifest.training.teacher
    assert record is not None
    assert (record.name, record.source) == (encoder_folder.name, encoder_folder.name)
    assert len(record.networks_sha256) == 2
    assert record.texts["augmented"] > 100
    assert {"accuracy", "macro_f1", "ece"} <= record.metrics["test"].keys()
    loaded = artifact.load(store.path(made.tag))
    assert loaded.manifest.training.teacher == record
    assert made.evaluations["test"].macro_f1 > 0.8
    told = typer.testing.CliRunner().invoke(commands.app, ["show", "toy"]).stdout
    card = model_card.render(made.manifest)
    for part in (record.sha256, f"{record.texts['augmented']:,}", record.name):
        assert part in told
        assert part in card
    assert record.networks_sha256[1] in told
    # another seed of the student asks the same teacher
    monkeypatch.setattr(ensemble, "fine_tune", None)
    monkeypatch.setattr(ensemble, "answers", None)
    again = run(seed=1).manifest.training.teacher
    assert again == record


def test_a_linear_model_may_teach(run: Callable[..., Trained]) -> None:
    made = run(teacher="n-grams")
    record = made.manifest.training.teacher
    assert record is not None
    assert (record.name, record.sha256, record.networks_sha256) == ("n-grams", "", ())
    assert record.source.startswith("scikit-learn==")
    assert made.evaluations["test"].macro_f1 > 0.8
    told = typer.testing.CliRunner().invoke(commands.app, ["show", "toy"]).stdout
    card = model_card.render(made.manifest)
    for part in (record.source, f"{record.texts['augmented']:,}"):
        assert part in told
        assert part in card
    assert "fitted to the training texts" in card


def test_streamed_texts_are_refused_with_the_remedy(
    run: Callable[..., Trained], tmp_path: Path
) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(f'{{"text": "text {n}", "label": "neutral"}}\n' for n in range(99)))
    with pytest.raises(ConfigurationError, match=r"distillation: .*data\.streamed = false"):
        run(corpora=[], files=[str(file)], streamed=True)
