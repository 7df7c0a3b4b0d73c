"""``valence promote`` with evidence, and options of ``valence retrain`` that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier.classifier import Prediction
from valence.service.errors import ConfigurationError
from valence.service.observability.metrics import Metrics
from valence.training.registry import store

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """Yield the metrics of a server that tries sentiment:2 beside the champion sentiment:1."""
    metrics = Metrics(version="1")
    pair = metrics.shadow.pair("sentiment", "1", "2", ("negative", "positive"))
    one, other = (
        Prediction(label, (0.5, 0.5), None, (label,)) for label in ("negative", "positive")
    )
    pair.count_compared([(one, one), (other, other)] * 45)
    pair.count_compared([(one, other), (other, one)] * 5)
    pair.flush()
    (tmp_path / "metrics.txt").write_bytes(metrics.exposition())
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        put_model("sentiment", "2")
        store.promote_version("sentiment:1")
        yield tmp_path / "metrics.txt"


def call(*arguments: object):
    return CliRunner().invoke(commands.app, list(map(str, arguments)), catch_exceptions=False)


def champion() -> str:
    return store.read_champion("sentiment").version


def test_evidence_that_speaks_for_a_version_promotes_it(server):
    found = call("promote", "sentiment:2", "--shadow-from", server, "--shadow-texts", 100)
    assert (found.exit_code, found.stdout) == (0, "sentiment:2\n")
    assert champion() == "2"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--shadow-texts", 101), "at least 101 are needed"),
        (("--shadow-texts", 9, "--shadow-agreement", 0.97), "less than 97%"),
    ],
)
def test_a_version_without_it_is_kept_back(server, options, reason):
    found = call("promote", "sentiment:2", "--shadow-from", server, *options)
    assert found.exit_code == 3
    assert found.stdout.startswith("kept: sentiment:1 stays, sentiment:2 is not promoted: ")
    assert reason in found.stdout
    assert champion() == "1"


def test_without_the_option_nothing_is_asked(server):
    assert call("promote", "sentiment:2").exit_code == 0
    assert champion() == "2"


def test_evidence_and_a_source_do_not_go_together(server, tmp_path):
    with pytest.raises(ConfigurationError, match="promote without --shadow-from"):
        call("promote", "sentiment:2", "--shadow-from", server, "--source", tmp_path)
    assert champion() == "1"


@pytest.mark.parametrize("options", [("--shadow-hours", 1), ("--shadow-from", "http://a/metrics")])
def test_hours_and_servers_go_together(options, tmp_path):
    with pytest.raises(ConfigurationError, match="--shadow-hours and --shadow-from go together"):
        call("retrain", "sentiment", "--no-track", "--workspace", tmp_path, *options)
