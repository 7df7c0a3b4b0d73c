"""A student learns from the file of answers what it would learn from the teachers themselves."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer.testing
import valence.training.cli.main as commands
from valence.service.classifier.manifest import strip_paths
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.preparation import Prepared, prepare
from valence.training.distillation import answer_export, answer_file, transfer_set
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.pipeline import training_run
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

LABELS = ("negative", "neutral", "positive")
POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}


@pytest.fixture
def run(workspace: Workspace, silent: type[Reporter], near_words: None) -> Run:
    return Run(workspace, silent())


@pytest.fixture
def configure(configured: Callable[..., Configuration]) -> Callable[..., Configuration]:
    """Return a maker of configurations with a linear teacher and counterfactuals."""

    def configure(**settings: object) -> Configuration:
        chosen = {"teacher": "n-grams", "copies": 1, "counterfactuals": 0.5, "weight": 0.7}
        return configured(
            polarity=POLARITY,
            distillation=chosen | settings,
            counterfactuals={"contrast": 0.2, "emoji": 0.1, "people": 0.2},
        )

    return configure


def shares_of(taught: transfer_set.TransferSet) -> dict[str, list[float]]:
    return {
        example.text: [(example.shares or {})[label] for label in LABELS]
        for example in taught.examples
    }


def test_the_file_teaches_what_the_teacher_teaches(
    run: Run,
    configure: Callable[..., Configuration],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "said.safetensors"
    live = configure()
    prepared = prepare(live, run)
    record = answer_export.export_answers(live, run, path, command="valence teach toy said")
    asked = transfer_set.make_transfer_set(live, prepared, None, run)
    monkeypatch.setattr(transfer_set.live_answers, "make_answers", None)
    stored = transfer_set.make_transfer_set(configure(answers=str(path)), prepared, None, run)
    assert stored.record.texts == asked.record.texts == record.texts
    assert record.texts["augmented"] > 100
    assert record.texts["counterfactual"] > 10
    assert stored.record.teachers == asked.record.teachers
    from_file, from_teacher = shares_of(stored), shares_of(asked)
    assert from_file.keys() == from_teacher.keys()
    for text, row in from_teacher.items():
        np.testing.assert_allclose(from_file[text], row, atol=0.005)


def test_no_answer_about_a_held_out_text_is_written(
    run: Run, configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    path = tmp_path / "said.safetensors"
    record = answer_export.export_answers(configure(), run, path, command="")
    splits = prepare(configure(), run).raw.splits
    stored = answer_file.read_answers(path, labels=LABELS, task="single_label")
    held_out = [example.text for example in (*splits.dev, *splits.test)]
    assert np.isnan(stored.probabilities(held_out)).all()
    assert not np.isnan(stored.probabilities([each.text for each in splits.train])).any()
    assert set(record.metrics) == {"dev"}
    assert {"torch", "transformers", "scikit-learn"} <= record.packages.keys()
    assert [corpus.name for corpus in record.corpora] == ["toy"]


def add_text(prepared: Prepared) -> Prepared:
    extra = Example("Nobody has asked this.", "neutral", "toy")
    copies = (*prepared.raw.augmented_texts, "nobody asked that")
    splits = replace(prepared.raw.splits, train=(*prepared.raw.splits.train, extra))
    raw = replace(prepared.raw, splits=splits, augmented_texts=copies)
    return replace(prepared, raw=raw)


def test_a_text_without_an_answer_keeps_its_labels(
    run: Run, configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    path = tmp_path / "said.safetensors"
    record = answer_export.export_answers(configure(), run, path, command="")
    chosen = configure(answers=str(path))
    prepared = add_text(prepare(chosen, run))
    taught = transfer_set.make_transfer_set(chosen, prepared, None, run)
    assert shares_of(taught)["Nobody has asked this."] == [0.0, 1.0, 0.0]
    # a copy has no label to keep
    assert "nobody asked that" not in shares_of(taught)
    assert taught.record.texts == record.texts


def test_answers_about_other_texts_are_refused(
    run: Run, configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    path = tmp_path / "said.safetensors"
    record = answer_export.export_answers(configure(copies=0), run, path, command="")
    changed = {"sha256": answer_file.write_tensors(path, ["Another text."], np.eye(3)[:1])}
    answer_file.write_record(path, record.model_copy(update=changed))
    chosen = configure(answers=str(path))
    with pytest.raises(ConfigurationError, match=r"no answer about any of these texts"):
        transfer_set.make_transfer_set(chosen, prepare(chosen, run), None, run)


def test_a_counterfactual_with_emoji_is_not_asked_about(
    run: Run, configure: Callable[..., Configuration], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = configure()
    prepared = prepare(chosen, run)
    given = {example.text: example.shares for example in prepared.raw.counterfactuals}
    taught = transfer_set.make_transfer_set(chosen, prepared, None, run)
    kept = {
        example.text for example in taught.examples if given.get(example.text) == example.shares
    }
    with_emoji = {text for text in given if not text.isascii()}
    assert with_emoji
    assert with_emoji <= kept
    assert kept < given.keys()
    # without a weight the teacher says nothing about any of them
    unasked = transfer_set.make_transfer_set(configure(counterfactuals=0.0), prepared, None, run)
    shares = {example.text: example.shares for example in unasked.examples}
    assert all(shares[text] == known for text, known in given.items())


def test_the_command_writes_what_training_reads(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    near_words: None,
    tmp_path: Path,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "toy.toml"
    file.write_text(
        'name = "toy"\nlabels = ["negative", "neutral", "positive"]\n[data]\ncorpora = ["toy"]\n'
        '[text]\nminimum_count = 1\n[distillation]\nteacher = "n-grams"\ncopies = 1\n'
    )
    output = tmp_path / "toy.safetensors"
    arguments = ["teach", str(file), str(output), "--workspace", str(workspace.root)]
    result = typer.testing.CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output)
    record = answer_file.read_answers(output, labels=LABELS, task="single_label").record
    assert shlex.split(record.command) == ["valence", "teach", "toy.toml", "toy.safetensors"]
    monkeypatch.setattr(EncoderTeacher, "logits", None)
    made = training_run.train_classifier(
        configured(distillation={"answers": str(output), "copies": 1}),
        Run(workspace, silent()),
        with_baselines=False,
    )
    taught = made.manifest.training.teacher
    assert taught is not None
    assert taught.texts == record.texts
    assert taught.teachers == record.teachers
    told = strip_paths(made.manifest.training.configuration)["distillation"]
    assert isinstance(told, dict)
    assert told["answers"] == output.name
    assert made.evaluations["test"].macro_f1 > 0.8


@pytest.mark.parametrize(
    ("name", "message"),
    [("said", "name that ends in .safetensors"), ("no/folder.safetensors", "no such folder")],
)
def test_an_unusable_output_is_refused_at_once(
    configure: Callable[..., Configuration], tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        answer_export.check_output(configure(), tmp_path / name)


def test_a_configuration_without_teacher_is_refused(
    configured: Callable[..., Configuration], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"toy has no teacher; add .*\[distillation\]"):
        answer_export.check_output(configured(), tmp_path / "said.safetensors")
