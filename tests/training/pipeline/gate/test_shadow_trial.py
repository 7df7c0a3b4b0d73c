from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from valence.service.classifier.classifier import Prediction
from valence.service.errors import ConfigurationError
from valence.service.observability.metrics import Metrics
from valence.service.registry import aliases
from valence.training.pipeline.gate import shadow_trial
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.shadow_trial import ShadowTrial
from valence.training.registry import store

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
LABELS = ("negative", "positive")
RULES = Rules(shadow_texts=10)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a model with two versions, of which the first is the champion."""
    with models_in(tmp_path / "models"):
        for version in ("1", "2"):
            put_model("sentiment", version)
        store.promote_version("sentiment:1")
        yield tmp_path / "models" / "sentiment"


@pytest.fixture
def server(tmp_path: Path) -> str:
    """Return a file with the metrics of a server that has compared twenty texts."""
    metrics = Metrics(version="1")
    metrics.shadow.begin("sentiment", 0.1)
    pair = metrics.shadow.pair("sentiment", "1", "2", LABELS)
    same = Prediction("positive", (0.1, 0.9), None, ("positive",))
    pair.count_compared([(same, same)] * 20)
    pair.flush()
    (tmp_path / "metrics.txt").write_bytes(metrics.exposition())
    return str(tmp_path / "metrics.txt")


def challenger() -> str | None:
    alias = store.list_aliases("sentiment").get(shadow_trial.ALIAS)
    return None if alias is None else alias.version


def judge(trial: ShadowTrial, reporter):
    return trial.judge("sentiment:1", "sentiment:2", RULES, reporter)


def test_servers_try_the_challenger_by_its_alias(folder, server, silent):
    trial, reporter = ShadowTrial(0.0, (server,)), silent()
    trial.require_servers("sentiment")
    checks = judge(trial, reporter)
    assert [check.passed for check in checks] == [True, True, True, True, None]
    assert challenger() == "2"
    assert store.read_champion("sentiment").version == "1", "not promoted by the trial"
    (line,) = [line for line in reporter.said if "@challenger" in line]
    assert line.startswith("sentiment:2 is sentiment@challenger: servers score texts of clients")
    trial.end("sentiment:2")
    assert challenger() is None


def test_evidence_of_another_pair_is_none(folder, server, silent):
    put_model("sentiment", "3")
    trial = ShadowTrial(0.0, (server,))
    (check,) = trial.judge("sentiment:1", "sentiment:3", RULES, silent())
    assert check.passed is False
    assert "0 texts of clients" in check.reason


def test_a_continued_wait_counts_from_the_alias(folder, server, silent, monkeypatch):
    store.set_alias("sentiment@challenger", "2")
    path = aliases.find_file(folder, "challenger")
    content = aliases.Alias.model_validate_json(path.read_bytes())
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")
    change = content.changes[-1].model_copy(update={"at": since})
    path.write_text(content.model_copy(update={"changes": (change,)}).model_dump_json())

    def sleep(seconds: float) -> None:
        raise InterruptedError(f"{seconds:.0f}")

    monkeypatch.setattr(shadow_trial.time, "sleep", sleep)
    assert judge(ShadowTrial(1.9, (server,)), silent())
    with pytest.raises(InterruptedError, match="60"):
        judge(ShadowTrial(2.1, (server,)), silent())
    with pytest.raises(InterruptedError, match=r"^[1-5]?[0-9]$"):
        judge(ShadowTrial(2 + 59 / 3600, (server,)), silent())


def test_the_end_leaves_an_alias_that_was_moved(folder, server):
    put_model("sentiment", "3")
    store.set_alias("sentiment@challenger", "3")
    ShadowTrial(0.0, (server,)).end("sentiment:2")
    assert challenger() == "3"


def test_servers_without_the_setting_are_told_it(tmp_path):
    (tmp_path / "plain.txt").write_bytes(Metrics(version="1").exposition())
    trial = ShadowTrial(24.0, (str(tmp_path / "plain.txt"),))
    with pytest.raises(ConfigurationError, match=r"VALENCE_SHADOW=sentiment=challenger:0\.1"):
        trial.require_servers("sentiment")
