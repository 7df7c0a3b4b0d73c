from __future__ import annotations

import json
import tomllib

import pytest
import typer.testing
import valence.training.cli.main as commands
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError, ConfigurationError
from valence.training.cli.show import _make_lines
from valence.training.config import loader
from valence.training.pipeline.training_run import Trained
from valence.training.report import model_card
from valence.training.runtime.workspace import Workspace

Stored = tuple[Trained, Workspace]


def show(*arguments: str) -> str:
    result = typer.testing.CliRunner().invoke(commands.app, ["show", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_a_model_shows_its_origin_and_its_scores(stored: Stored) -> None:
    manifest = stored[0].manifest
    told = show("toy")
    for part in (
        f"toy:{manifest.version}",
        manifest.training.corpora[0].sha256,
        *manifest.training.split_sha256.values(),
        manifest.training.code_version,
        manifest.training.hardware,
        manifest.training.platform,
        f"macro-F1 {manifest.metrics['test']['macro_f1']:.4f} (",
        "TF-IDF + logistic regression",
        f"torch {manifest.training.packages['torch']}",
        "420 of 420 texts",
        f"typo: {manifest.behaviour['typo'].rate:.1%} of {manifest.behaviour['typo'].tried}",
        "licence not stated" if not manifest.training.corpora[0].license else "none",
    ):
        assert part in told


def test_a_model_of_data_for_research_says_so(stored: Stored) -> None:
    manifest = stored[0].manifest
    (corpus,) = manifest.training.corpora
    limited = corpus.model_copy(update={"license": "provided for research"})
    training = manifest.training.model_copy(update={"corpora": (limited,)})
    told = _make_lines(manifest.model_copy(update={"training": training}))
    assert f"for some uses {corpus.name}: provided for research" in told
    assert not [line for line in _make_lines(manifest) if line.startswith("for some uses")]


def test_the_artifact_holds_the_whole_lineage(stored: Stored) -> None:
    manifest = stored[0].manifest
    record = manifest.training
    counted = {split: sum(labels.values()) for split, labels in record.label_counts.items()}
    assert counted == record.splits
    (corpus,) = record.corpora
    assert (corpus.read, corpus.empty, corpus.duplicates, corpus.texts) == (420, 0, 0, 420)
    assert manifest.baselines.keys() == stored[0].baselines.keys()
    for split in ("dev", "test"):
        low, high = manifest.intervals[split]["macro_f1"]
        assert low <= manifest.metrics[split]["macro_f1"] <= high
    assert record.vectors == ()
    assert record.platform


def test_the_json_output_is_the_whole_manifest(stored: Stored) -> None:
    assert Manifest.model_validate(json.loads(show("toy", "--json"))) == stored[0].manifest


def test_a_card_is_printed_for_any_model(stored: Stored) -> None:
    assert show(stored[0].tag, "--card") == model_card.render_model_card(stored[0].manifest)


def test_the_printed_configuration_is_valid_for_training(stored: Stored) -> None:
    read = loader.parse_configuration(tomllib.loads(show("toy", "--configuration")), source="show")
    assert read.as_json() == stored[0].manifest.training.configuration


@pytest.mark.usefixtures("stored")
def test_two_formats_or_a_missing_model_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="give one of them"):
        show("toy", "--json", "--card")
    with pytest.raises(ArtifactError, match="does not have 'absent'"):
        show("absent")
