"""A model without held-out test texts: its figures, and the texts that they come from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from typer.testing import CliRunner

import training.__main__ as commands
from service.classifier import artifact
from service.errors import ConfigurationError
from training import faithfulness, judging, model_card, pipeline, store
from training.configuration import Configuration
from training.corpora import Example
from training.gate import retraining
from training.gate.rules import Rules
from training.pipeline import Trained
from training.progress import Reporter
from training.runtime.workspace import Workspace


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
    trained = pipeline.train(
        chosen, workspace=workspace, reporter=silent(), device=torch.device("cpu")
    )
    return Made(trained, chosen, workspace, file)


def test_figures_and_baselines_come_from_dev_and_say_so(made: Made, silent: type[Reporter]) -> None:
    trained = made.trained
    assert (set(trained.evaluations), trained.judged) == ({"dev"}, "dev")
    dev = trained.evaluations["dev"]
    assert dev.count == 42
    assert all(beside.count == dev.count for beside in trained.baselines.values())
    assert store.path(trained.tag)
    scores = judging.evaluate_stored(
        trained.tag,
        engine="reference",
        workspace=made.workspace,
        with_baselines=True,
        reporter=silent(),
    )
    assert len(scores) == 3
    assert all(name.endswith("(dev)") for name in scores)
    card = model_card.render(trained.manifest)
    assert "No text was held out for a test." in card
    assert "On 42 dev texts" in card
    assert "test texts" not in card.replace("held out for a test", "")


def test_the_report_shows_dev(made: Made) -> None:
    report = (store.path(made.trained.tag) / artifact.REPORT / "report.html").read_text()
    assert ">dev<" in report.replace("\n", "")
    assert "never trained on" not in report


def test_explanations_are_judged_on_dev(made: Made, silent: type[Reporter]) -> None:
    found = faithfulness.measure_stored(
        made.trained.tag, label=None, engine="auto", workspace=made.workspace, reporter=silent()
    )
    assert 0 < found.texts <= 42


def test_the_gate_refuses_a_model_without_test_texts(made: Made, silent: type[Reporter]) -> None:
    with pytest.raises(ConfigurationError, match="the gate judges on test texts"):
        retraining.retrain(
            made.configuration,
            workspace=made.workspace,
            reporter=silent(),
            device=torch.device("cpu"),
            rules=Rules(),
        )


def test_evaluate_uses_dev_and_refuses_the_training_file(made: Made) -> None:
    runner = CliRunner()
    arguments = ["evaluate", made.trained.tag, "--workspace", str(made.workspace.root)]
    own = runner.invoke(commands.app, arguments)
    assert own.exit_code == 0
    assert f"{made.trained.tag} (dev)" in own.stdout
    assert "(test)" not in own.stdout
    refused = runner.invoke(commands.app, [*arguments, "--data", str(made.file)])
    assert isinstance(refused.exception, ConfigurationError)
    assert "holds no test texts out" in str(refused.exception)
    everything = runner.invoke(commands.app, [*arguments, "--data", str(made.file), "--all"])
    assert everything.exit_code == 0
