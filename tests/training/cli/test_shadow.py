"""``valence shadow report`` as an operator calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier.classifier import Prediction
from valence.service.errors import ConfigurationError
from valence.service.observability.metrics import Metrics


def predict(label: str) -> Prediction:
    positive = 0.9 if label == "positive" else 0.2
    return Prediction(label, (1 - positive, positive), None, (label,))


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """Return a file with the metrics of a server that compared a hundred texts."""
    metrics = Metrics(version="1")
    metrics.shadow.begin("reviews", 0.5)
    pair = metrics.shadow.pair("reviews", "v1", "v2", ("negative", "positive"))
    pair.count_compared([(predict("positive"), predict("positive"))] * 90)
    pair.count_compared([(predict("positive"), predict("negative"))] * 10)
    pair.count_engine(served=1.0, challenger=1.25)
    pair.count_lost(7, "dropped")
    pair.flush()
    (tmp_path / "metrics.txt").write_bytes(metrics.exposition())
    return tmp_path / "metrics.txt"


def report(*arguments: object):
    command = ["shadow", "report", *map(str, arguments)]
    result = CliRunner().invoke(commands.app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_report_tells_how_the_challenger_differs(metrics):
    assert report("reviews", "--from", metrics, "--from", metrics).splitlines() == [
        "reviews: v1 answered, v2 scored the same texts",
        "  texts        200 of 2 servers; 14 dropped, 0 failed",
        "  agreement    90.00% (95 % interval 85.06% to 93.43%)",
        "  label shift  10.00% of the texts",
        "               negative 0.00%, by the challenger 10.00%",
        "               positive 100.00%, by the challenger 90.00%",
        "  probability  differs by 0.0700 in the mean",
        "  engine time  1.25 times that of the version served",
    ]


def test_a_program_reads_the_figures_as_json(metrics):
    found = json.loads(report("reviews", "--from", metrics, "--json"))
    assert (found["model"], found["share"]) == ("reviews", 0.5)
    (pair,) = found["pairs"]
    assert (pair["texts"], pair["agreement"], pair["time_ratio"]) == (100, 0.9, 1.25)


def test_a_model_without_evidence_is_told_what_to_set(metrics):
    assert "set VALENCE_SHADOW=other=challenger:0.1" in report("other", "--from", metrics)


def test_a_key_file_without_a_key_is_named(metrics, tmp_path):
    (tmp_path / "key").write_text("two words of a secret")
    with pytest.raises(ConfigurationError, match="holds no API key alone") as caught:
        report("reviews", "--from", metrics, "--key-file", tmp_path / "key")
    assert "secret" not in str(caught.value)
