"""All data checks together: before a training and as a command."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.checks import label_noise, profile, report, suite
from valence.training.checks.finding import Finding
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

LABELS = ["negative", "neutral", "positive"]


def rows(*lines: tuple[str, str]) -> str:
    return "\n".join(["label,text", *(f"{label},{text}" for label, text in lines)]) + "\n"


def good() -> list[tuple[str, str]]:
    return [
        (label, f"{label} sentence number {number} is about {word}{number}")
        for number in range(60)
        for label, word in (("good", "praise"), ("bad", "blame"))
    ]


def run(*arguments: object):
    return CliRunner().invoke(commands.app, ["check", *map(str, arguments)])


@pytest.fixture
def contradicting(tmp_path: Path) -> Path:
    """Write a file in which every text appears with both labels."""
    lines = [*good(), *(("good" if label == "bad" else "bad", text) for label, text in good())]
    path = tmp_path / "mine.csv"
    path.write_text(rows(*lines), encoding="utf-8")
    return path


def configuration_of(path: Path, configured: Callable[..., Configuration]) -> Configuration:
    content = configured().model_dump(exclude={"polarity", "expected"}) | {
        "labels": ["bad", "good"],
        "data": {"files": [str(path)]},
    }
    return Configuration.model_validate(content)


def test_an_error_in_the_data_prevents_the_training(
    contradicting: Path, configured, workspace: Workspace, silent
) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)conflicts: .*--unchecked") as error:
        training_run.train_classifier(
            configuration_of(contradicting, configured),
            run=Run(workspace, silent()),
        )
    assert "sentence number" not in str(error.value)


def test_unchecked_training_ignores_faults_of_the_data(
    contradicting: Path, configured, workspace: Workspace, silent
) -> None:
    made = training_run.train_classifier(
        configuration_of(contradicting, configured),
        run=Run(workspace, silent()),
        with_baselines=False,
        unchecked=True,
    )
    assert made.tag.startswith("toy:")


def test_the_command_lists_findings_and_exits_with_an_error(
    contradicting: Path, workspace: Workspace
) -> None:
    result = run("--data", contradicting, "--quick", "--workspace", workspace.root)
    assert result.exit_code == 1
    folder = workspace.root / "checks" / "mine"
    written = json.loads((folder / report.JSON).read_text())
    found = {finding["check"]: finding for finding in written["findings"]}
    assert found["conflicts"]["severity"] == "error"
    assert found["conflicts"]["places"][0] == "mine.csv, line 122"
    page = (folder / report.MARKDOWN).read_text()
    assert "| conflicts | error | 120 | 50.00% |" in page
    assert "- mine.csv, line 122" in page
    shown = (folder / report.PAGE).read_text()
    assert "Training stops at these data." in shown
    assert "<li>mine.csv, line 122</li>" in shown
    for said in (result.output, page, shown, json.dumps(written)):
        assert "sentence number" not in said


def test_a_guessed_encoding_is_reported_with_a_remedy(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "mine.csv"
    lines = [(label, f"{text}: überraschend schön und größer") for label, text in good()]
    path.write_text(rows(*lines), encoding="cp1252")
    told = run("--data", path, "--quick", "--json", "--workspace", workspace.root)
    warnings = [json.loads(line) for line in told.stdout.splitlines()]
    (guess,) = [finding for finding in warnings if finding["check"] == "encoding"]
    assert (guess["severity"], guess["count"]) == ("warning", 120)
    assert "texts of mine.csv are not in UTF-8 and read as cp1252" in guess["message"]
    assert "--encoding" in guess["message"]
    said = run(
        "--data", path, "--quick", "--json", "--encoding", "cp1252", "--workspace", workspace.root
    )
    assert "is a guess" not in said.stdout


def test_good_data_pass_the_checks(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(rows(*good()), encoding="utf-8")
    result = run("--data", path, "--json", "--workspace", workspace.root)
    assert result.exit_code == 0
    assert "error" not in [json.loads(line)["severity"] for line in result.stdout.splitlines()]
    with (workspace.root / "checks" / "mine" / report.SUSPECTS).open(newline="") as file:
        assert next(csv.reader(file)) == [
            "place", "label", "suggested", "probability", "of_suggested", "text",
        ]  # fmt: skip


def test_the_training_data_of_a_model_have_not_drifted(
    stored: tuple[Trained, Workspace], configured, silent
) -> None:
    """The model keeps a profile of its data."""
    made, workspace = stored
    folder = store.find_model(made.tag)
    kept = profile.read_profile(folder / artifact.REPORT / profile.FILE)
    assert kept is not None
    assert kept.texts == sum(made.manifest.training.splits.values())
    loaded, splits = training_run.load_splits(configured(), Run(workspace, silent()))
    assert suite.check_drift(loaded, made.tag) == []
    checked = suite.run_checks(configured(), loaded, splits, slow=False, against=made.tag)
    assert "drift" not in [finding.check for finding in checked.findings]


def test_drifted_data_are_reported(stored: tuple[Trained, Workspace], loaded, texts) -> None:
    made, _ = stored
    other = texts(*(f"wholly other words here {n} and there {n}" for n in range(200)))
    found = suite.check_drift(loaded(other), made.tag)
    assert {finding.check for finding in found} == {"drift"}
    moved = {
        finding.message.partition(" have moved")[0]
        for finding in found
        if finding.severity == "warning"
    }
    assert moved >= {"label shares", "words", "unknown words"}


def test_a_model_without_a_profile_is_reported(
    stored: tuple[Trained, Workspace], loaded, texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "FILE", "missing.json")
    (found,) = suite.check_drift(loaded(texts("one")), stored[0].tag)
    assert (found.severity, "keeps no profile" in found.message) == ("note", True)


def test_the_most_severe_findings_come_first(
    contradicting: Path, configured, workspace, silent
) -> None:
    chosen = configuration_of(contradicting, configured)
    loaded, splits = training_run.load_splits(chosen, Run(workspace, silent()))
    severities = [
        finding.severity
        for finding in suite.run_checks(chosen, loaded, splits, slow=False).findings
    ]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_the_table_of_suspects_has_no_spreadsheet_formulas(tmp_path: Path) -> None:
    example = Example("=1+1", "a", "mine.csv", place="line 7")
    suspect = label_noise.Suspect(example, "b", 0.125, 0.75)
    report.write_report(tmp_path, suite.Checked((), (suspect,)), name="mine", texts=1)
    with (tmp_path / report.SUSPECTS).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "place": "mine.csv, line 7",
        "label": "a",
        "suggested": "b",
        "probability": "0.1250",
        "of_suggested": "0.7500",
        "text": "'=1+1",
    }
    assert "Nothing was found" in (tmp_path / report.MARKDOWN).read_text()
    assert "Nothing was found" in (tmp_path / report.PAGE).read_text()


def test_at_most_a_hundred_places_are_kept(texts) -> None:
    from valence.training.checks.finding import make_finding

    examples = texts(*map(str, range(101)))
    found = make_finding("x", "note", examples, 202, "said")
    assert (found.count, found.share, len(found.places)) == (101, 0.5, 100)
    assert isinstance(found, Finding)
