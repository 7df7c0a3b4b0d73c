"""A model without held-out test texts: its figures, and the texts that they come from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.evaluation import explanation_faithfulness, stored_model
from valence.training.pipeline import retraining, training_run
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.report import model_card
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration


class Made(NamedTuple):
    trained: Trained
    configuration: Configuration
    workspace: Workspace
    file: Path


@pytest.fixture
def made(
    workspace: Workspace,
    tmp_path: Path,
    examples: list[Example],
    configured: Callable[..., Configuration],
    silent: type[Reporter],
) -> Made:
    file = tmp_path / "train.csv"
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(("text", "label"))
        rows.writerows((example.text, example.label) for example in examples)
    chosen = configured(data={"corpora": [], "files": str(file), "split": "stratified"})
    trained = training_run.train_classifier(chosen, run=Run(workspace, silent()))
    return Made(trained, chosen, workspace, file)


def test_figures_and_baselines_come_from_dev_and_say_so(made: Made, silent: type[Reporter]) -> None:
    trained = made.trained
    assert (set(trained.evaluations), trained.judged) == ({"dev"}, "dev")
    dev = trained.evaluations["dev"]
    assert dev.count == 42
    assert all(beside.count == dev.count for beside in trained.baselines.values())
    assert store.find_model(trained.tag)
    scores = stored_model.evaluate_stored_model(
        trained.tag,
        engine="reference",
        run=Run(made.workspace, silent()),
        with_baselines=True,
    )
    assert len(scores) == 3
    assert all(name.endswith("(dev)") for name in scores)
    card = model_card.render_model_card(trained.manifest)
    assert "No text was held out for a test." in card
    assert "On 42 dev texts" in card
    assert "test texts" not in card.replace("held out for a test", "")


def test_the_report_shows_dev(made: Made) -> None:
    report = (store.find_model(made.trained.tag) / artifact.REPORT / "report.html").read_text()
    assert ">dev<" in report.replace("\n", "")
    assert "not used in training" not in report


def test_explanations_are_judged_on_dev(made: Made, silent: type[Reporter]) -> None:
    found = explanation_faithfulness.measure_stored_model(
        made.trained.tag, label=None, engine="auto", run=Run(made.workspace, silent())
    )
    assert 0 < found.texts <= 42


def test_the_gate_refuses_a_model_without_test_texts(made: Made, silent: type[Reporter]) -> None:
    with pytest.raises(ConfigurationError, match="the gate needs test texts"):
        retraining.retrain_model(
            made.configuration,
            run=Run(made.workspace, silent()),
            rules=Rules(),
        )


def test_evaluate_uses_dev_and_refuses_the_training_file(made: Made) -> None:
    runner = CliRunner()
    arguments = ["evaluate", made.trained.tag, "--workspace", str(made.workspace.root), "--json"]
    own = runner.invoke(commands.app, arguments)
    assert own.exit_code == 0
    assert f"{made.trained.tag} (dev)" in own.stdout
    assert "(test)" not in own.stdout
    refused = runner.invoke(commands.app, [*arguments, "--data", str(made.file)])
    assert isinstance(refused.exception, ConfigurationError)
    assert "without test texts" in str(refused.exception)
    everything = runner.invoke(commands.app, [*arguments, "--data", str(made.file), "--all"])
    assert everything.exit_code == 0
