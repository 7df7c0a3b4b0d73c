from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer.testing
import valence.training.cli.main as commands
from valence.service.classifier import artifact
from valence.service.classifier.manifest import TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.preparation import prepare
from valence.training.data.split import Splits
from valence.training.distillation import encoder_teacher, transfer_set
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.distillation.transfer_set import TransferSet
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.report import model_card
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

LABELS = ("negative", "neutral", "positive")


@pytest.fixture
def asked_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the teacher by one without fine-tuning, which answers "positive" for texts with an
    "e"; return the texts that it was asked for.
    """
    asked: list[str] = []

    def logits(self: EncoderTeacher, texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        rows = [[0.0, 0.0, 9.0] if "e" in text else [9.0, 0.0, 0.0] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 3)

    monkeypatch.setattr(EncoderTeacher, "logits", logits)
    origin = TeacherOrigin(name="one", source="somewhere", license="MIT")
    monkeypatch.setattr(EncoderTeacher, "origin", origin)
    return asked


@pytest.fixture
def teach(
    configured: Callable[..., Configuration],
    encoder_folder: Path,
    workspace: Workspace,
    silent: type[Reporter],
) -> Callable[..., TransferSet]:
    """Return a function that lets the teacher answer for the toy texts; arguments change its
    settings.
    """
    chosen = {"teacher": str(encoder_folder), "copies": 0}

    def teach(
        unlabelled: Sequence[Example] = (),
        *,
        varied: Sequence[str] = (),
        **settings: object,
    ) -> TransferSet:
        configuration = configured(distillation=chosen | settings)
        prepared = prepare(
            configuration.model_copy(update={"distillation": None}), Run(workspace, silent())
        )
        return transfer_set.make_transfer_set(
            configuration,
            replace(
                prepared,
                raw=replace(
                    prepared.raw,
                    augmented_texts=tuple(varied),
                    teacher_texts=tuple(unlabelled),
                ),
            ),
            None,
            run=Run(workspace, silent()),
        )

    return teach


def rows(examples: tuple[Example, ...]) -> np.ndarray:
    return np.array([[(example.shares or {})[label] for label in LABELS] for example in examples])


def test_targets_of_labelled_texts_mix_label_and_teacher(
    teach: Callable[..., TransferSet], splits: Splits, asked_texts: list[str]
) -> None:
    mixed = rows(teach(weight=0.3).examples)
    people = rows(splits.train)
    for row, given, example in zip(mixed, people, splits.train, strict=True):
        says = np.eye(3)[2 if "e" in example.text else 0]
        np.testing.assert_allclose(row, 0.7 * given + 0.3 * says, atol=1e-3)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)


def test_the_temperature_softens_the_teacher_targets(
    teach: Callable[..., TransferSet], asked_texts: list[str]
) -> None:
    soft = rows(teach(weight=1.0, temperature=9.0).examples)
    np.testing.assert_allclose(soft.max(axis=1), np.e / (np.e + 2), rtol=1e-6)


def test_targets_of_augmented_texts_come_from_the_teacher(
    teach: Callable[..., TransferSet], asked_texts: list[str]
) -> None:
    taught = teach(varied=["one", "two"])
    varied = [one for one in taught.examples if one.corpus == "augmented"]
    assert [example.label for example in varied] == ["positive", "negative"]
    assert {"one", "two"} <= set(asked_texts)


def test_labels_of_unlabelled_texts_are_ignored(
    teach: Callable[..., TransferSet], splits: Splits, asked_texts: list[str]
) -> None:
    others = (Example("Something else.", "no label of ours", "elsewhere"),)
    taught = teach(others)
    assert taught.examples[-1].text == "Something else."
    assert (taught.examples[-1].label, taught.examples[-1].corpus) == ("positive", "unlabelled")
    assert taught.record.texts == {"labelled": len(splits.train), "augmented": 0, "unlabelled": 1}


def test_a_teacher_is_evaluated_on_held_out_texts(
    teach: Callable[..., TransferSet], asked_texts: list[str]
) -> None:
    assert set(teach().record.metrics) == {"dev", "test"}


@pytest.fixture
def run(
    workspace: Workspace,
    configured: Callable[..., Configuration],
    silent: type[Reporter],
    encoder_folder: Path,
    near_words: None,
) -> Callable[..., Trained]:
    """Return a function that distils the toy classifier; arguments change the configuration."""

    def run(
        *, seed: int = 0, teacher: str | tuple[str, ...] = str(encoder_folder), **data: object
    ) -> Trained:
        tuned = {"networks": 2, "learning_rate": 0.01} if str(encoder_folder) in teacher else {}
        return training_run.train_classifier(
            configured(
                distillation={"teacher": teacher, "copies": 1, **tuned},
                optimization={"seed": seed},
                data=data,
            ),
            run=Run(workspace, silent()),
            with_baselines=False,
        )

    return run


def test_a_distilled_classifier_is_published_like_any_other(
    run: Callable[..., Trained], encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run()
    record = made.manifest.training.teacher
    assert record is not None
    [tuned] = record.teachers
    assert (tuned.name, tuned.source) == (encoder_folder.name, encoder_folder.name)
    assert len(tuned.networks_sha256) == 2
    assert record.texts["augmented"] > 100
    assert {"accuracy", "macro_f1", "ece"} <= record.metrics["test"].keys()
    loaded = artifact.load(store.find_model(made.tag))
    assert loaded.manifest.training.teacher == record
    assert made.evaluations["test"].macro_f1 > 0.8
    told = typer.testing.CliRunner().invoke(commands.app, ["show", "toy"]).stdout
    card = model_card.render_model_card(made.manifest)
    for part in (tuned.sha256, f"{record.texts['augmented']:,}", tuned.name):
        assert part in told
        assert part in card
    assert tuned.networks_sha256[1] in told
    # a student with another seed uses the same teacher
    monkeypatch.setattr(encoder_teacher, "fine_tune", None)
    monkeypatch.setattr(encoder_teacher, "compute_logits", None)
    again = run(seed=1).manifest.training.teacher
    assert again == record


def test_a_linear_and_a_self_teacher_can_be_combined(
    run: Callable[..., Trained], splits: Splits
) -> None:
    made = run(teacher=("n-grams", "self"))
    record = made.manifest.training.teacher
    assert record is not None
    linear, itself = record.teachers
    assert (linear.name, linear.sha256, linear.networks_sha256) == ("n-grams", "", ())
    assert linear.source.startswith("scikit-learn==")
    assert (itself.name, itself.sha256, len(itself.networks_sha256)) == ("self", "", 1)
    assert itself.source.startswith("torch==")
    assert made.evaluations["test"].macro_f1 > 0.8
    told = typer.testing.CliRunner().invoke(commands.app, ["show", "toy"]).stdout
    card = model_card.render_model_card(made.manifest)
    for part in (linear.source, itself.source, f"{record.texts['augmented']:,}"):
        assert part in told
        assert part in card
    assert itself.networks_sha256[0] in told
    assert card.count("fitted to the training texts") == 2
    assert "mean of the teachers' predictions" in card


def test_several_teachers_give_their_mean(
    teach: Callable[..., TransferSet], splits: Splits, asked_texts: list[str], encoder_folder: Path
) -> None:
    one, other, both = (
        rows(teach(teacher=teacher, weight=1.0).examples)
        for teacher in (str(encoder_folder), "n-grams", ("n-grams", str(encoder_folder)))
    )
    mean = np.sqrt(one * other)  # the mean of the logits
    np.testing.assert_allclose(both, mean / mean.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6)


def test_an_invalid_teacher_is_refused_before_others_are_trained(
    teach: Callable[..., TransferSet], workspace: Workspace
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"distillation\.teacher 'no-such-model' is not a folder; .*'self'"
    ):
        teach(teacher=("self", "no-such-model"))
    assert not workspace.teachers.exists()


def test_streamed_texts_are_refused_with_a_remedy(
    run: Callable[..., Trained], tmp_path: Path
) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(f'{{"text": "text {n}", "label": "neutral"}}\n' for n in range(99)))
    with pytest.raises(ConfigurationError, match=r"distillation: .*data\.streamed = false"):
        run(corpora=[], files=[str(file)], streamed=True)
