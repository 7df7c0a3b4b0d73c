"""Training of artificial tasks with some hundred texts and small networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.training.corpora.example import Example
from valence.training.experiments.tasks import experiments, records, task
from valence.training.experiments.tasks.experiments import Experiments, Summary
from valence.training.experiments.tasks.task import Task
from valence.training.pipeline import training_run
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

SMALL = {
    "metric": "accuracy",
    "goal": 0.9,
    "hub": {"name": "none/none"},
    "text": {"max_tokens": 20, "minimum_count": 1},
    "words": {"vectors": [], "learned_size": 10},
    "network": {"hidden_size": 6},
    "optimization": {
        "learning_rate": 0.03,
        "batch_tokens": 150,
        "epochs": 3,
        "patience": 3,
        "warmup_steps": 3,
    },
}


def small(name: str, **changes: object) -> Task:
    return Task.model_validate({"name": name, **SMALL, **changes})


def put(folder: Path, name: str, examples: list[Example]) -> None:
    (folder / name).mkdir(parents=True)
    lines = (
        json.dumps({"text": example.text, "label": example.label}) + "\n" for example in examples
    )
    (folder / name / "train.jsonl").write_text("".join(lines))


@pytest.fixture
def data(tmp_path: Path, examples: list[Example]) -> Path:
    """Write the artificial sentences as two tasks, one of them with a dev file."""
    folder = tmp_path / "data"
    put(folder, "trec6", examples[60:])
    put(folder, "sst2", examples[60:])
    lines = (
        json.dumps({"text": example.text, "label": example.label}) + "\n"
        for example in examples[:60]
    )
    (folder / "sst2" / "dev.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture
def made(
    data: Path, workspace: Workspace, tmp_path: Path, silent: type[Reporter]
) -> Callable[..., Summary]:
    """Return a function that runs experiments on both tasks: ``made(seeds=(0, 1))``."""

    def made(*, reporter: Reporter | None = None, **changes: object) -> Summary:
        chosen = {
            "tasks": (small("trec6"), small("sst2", metric="macro_recall")),
            "seeds": (0,),
            "data": str(data),
            "page": tmp_path / "page.md",
            "track": False,
            **changes,
        }
        return experiments.run_experiments(
            Experiments(**chosen),
            run=Run(workspace, reporter or silent()),
        )

    return made


def test_tasks_are_trained_and_tabulated(
    made: Callable[..., Summary], workspace: Workspace, tmp_path: Path
) -> None:
    assert made().trained == ("trec6, seed 0", "sst2, seed 0")
    found = records.read_records(workspace.root / "experiments", "trec6")[0]
    assert (found.own_dev, found.dev, found.train + found.dev) == (True, 36, 360)
    assert found.score > 0.9
    manifest = artifact.load(store.find_model("trec6")).manifest
    assert found.score == manifest.metrics["dev"]["accuracy"]
    assert found.baseline == manifest.baselines[experiments.LINEAR]["accuracy"]
    assert set(manifest.metrics) == set(manifest.intervals) == {"dev"}
    assert set(manifest.training.splits) == {"train", "dev"}
    other = records.read_records(workspace.root / "experiments", "sst2")[0]
    assert (other.own_dev, other.dev) == (False, 60)
    recall = artifact.load(store.find_model("sst2")).manifest.metrics["dev"]["macro_recall"]
    assert other.score == recall
    page = (tmp_path / "page.md").read_text()
    assert f"| trec6 | {found.train} / 36 (own) | accuracy | **{100 * found.score:.1f}** |" in page
    assert f"| sst2 | {other.train} / 60 | macro recall | **{100 * recall:.1f}** |" in page


def test_a_finished_training_is_not_repeated(
    made: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made(tasks=(small("trec6"),))
    before = (tmp_path / "page.md").read_text()
    real, seeds = training_run.train_classifier, []

    def train(configuration, run, **rest):
        seeds.append((configuration.optimization.seed, rest["with_baselines"]))
        return real(configuration, run, **rest)

    monkeypatch.setattr(training_run, "train_classifier", train)
    again = made(tasks=(small("trec6"),))
    assert (again.known, again.trained, seeds) == (("trec6, seed 0",), (), [])
    assert (tmp_path / "page.md").read_text() == before
    # another seed is trained, and does not need a second linear model
    assert made(tasks=(small("trec6"),), seeds=(0, 1)).trained == ("trec6, seed 1",)
    assert seeds == [(1, False)]
    assert "(0, 1)" in (tmp_path / "page.md").read_text()
    # another recipe is trained too, and its row has only its own seeds
    other = small("trec6", network={"hidden_size": 5})
    assert made(tasks=(other,)).trained == ("trec6, seed 0",)
    assert "(0) |" in (tmp_path / "page.md").read_text()
    assert made(tasks=(other,), fresh=True).trained == ("trec6, seed 0",)


def test_changed_data_are_trained_again_but_moved_data_are_not(
    made: Callable[..., Summary], data: Path, tmp_path: Path
) -> None:
    one = (small("trec6"),)
    made(tasks=one)
    data = data.rename(tmp_path / "elsewhere")
    assert made(tasks=one, data=str(data)).trained == ()
    file = data / "trec6" / "train.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-5]))
    assert made(tasks=one, data=str(data)).trained == ("trec6, seed 0",)


def test_changed_teacher_texts_are_trained_again(
    made: Callable[..., Summary], data: Path, encoder_folder: Path
) -> None:
    teaching = {"teacher": str(encoder_folder), "epochs": 1, "copies": 0}
    one = (small("trec6", distillation=teaching, unlabelled=("trec6", "sst2")),)
    file = data / "sst2" / "unlabelled.jsonl"
    file.write_text('{"text": "A day at the sea."}\n')
    assert made(tasks=one).trained == ("trec6, seed 0",)
    record = artifact.load(store.find_model("trec6")).manifest.training
    assert record.teacher is not None
    assert record.teacher.texts["unlabelled"] == 1
    assert [(corpus.name, corpus.texts) for corpus in record.unlabelled] == [
        ("unlabelled.jsonl", 1)
    ]
    assert made(tasks=one).trained == ()
    file.write_text('{"text": "A day in the hills."}\n')
    assert made(tasks=one).trained == ("trec6, seed 0",)


def test_a_failed_training_does_not_affect_the_others(
    made: Callable[..., Summary], data: Path, tmp_path: Path
) -> None:
    (data / "trec6" / "train.jsonl").write_text('{"text": "secret", "label": "x"}\n{"tex\n')
    found = made()
    assert (found.failed, found.trained) == (("trec6, seed 0",), ("sst2, seed 0",))
    assert "| sst2 |" in (tmp_path / "page.md").read_text()


def test_an_unexpected_error_is_reported_without_texts(
    made: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, silent: type[Reporter]
) -> None:
    reporter = silent()

    def train(*_, **__):
        raise KeyError("a secret text")

    monkeypatch.setattr(training_run, "train_classifier", train)
    assert made(reporter=reporter).failed == ("trec6, seed 0", "sst2, seed 0")
    assert "secret" not in "".join(reporter.said)
    start = "trec6, seed 0 failed: KeyError in test_experiments"
    assert any(line.startswith(start) for line in reporter.said)


def test_no_training_starts_after_the_time_limit(made: Callable[..., Summary]) -> None:
    found = made(minutes=0.0, seeds=(0, 1))
    assert found.trained == ()
    assert len(found.left) == 4


def test_a_damaged_record_is_ignored(made: Callable[..., Summary], workspace: Workspace) -> None:
    one = (small("trec6"),)
    made(tasks=one)
    (workspace.root / "experiments" / "trec6" / "seed-0.json").write_text("{")
    assert made(tasks=one).trained == ("trec6, seed 0",)


def test_the_exit_code_of_the_command_reports_failures(
    data: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "load_tasks", lambda wanted: tuple(small(one) for one in wanted))
    arguments = [
        *("experiments", "--data", str(data), "--seed", "0", "--device", "cpu", "--no-track"),
        *("--workspace", str(workspace.root), "--page", str(tmp_path / "page.md")),
    ]
    good = CliRunner().invoke(commands.app, [*arguments, "--task", "trec6"])
    assert (good.exit_code, "1 trained, 0 trained before" in good.stderr) == (0, True)
    bad = CliRunner().invoke(commands.app, [*arguments, "--task", "trec6", "--task", "imdb"])
    assert bad.exit_code == 1
    assert "imdb, seed 0 failed: " in bad.stderr
    assert "0 trained, 1 trained before" in bad.stderr


@pytest.mark.usefixtures("near_words")
def test_one_teacher_is_fine_tuned_for_all_seeds(
    made: Callable[..., Summary], workspace: Workspace, encoder_folder: Path
) -> None:
    teacher = {"teacher": str(encoder_folder), "networks": 2, "epochs": 1, "copies": 1}
    taught = (small("trec6", distillation=teacher),)
    assert made(tasks=taught, seeds=(0, 1)).trained == ("trec6, seed 0", "trec6, seed 1")
    networks = [path.stem.partition("-")[2] for path in workspace.teachers.iterdir()]
    assert sorted(networks) == ["0", "0-logits", "1", "1-logits"]
    of_seeds = {
        artifact.load(store.find_model(name)).manifest.training.teacher.targets_sha256
        for name in ("trec6", "trec6-seed1")
    }
    assert len(of_seeds) == 1
