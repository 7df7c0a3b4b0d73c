"""What was measured is kept, and a later run adds to it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from valence.training.corpora.example import Example

from tests.trials.own_data import __main__ as trial
from tests.trials.own_data.peers import PEERS, Given, answer, list_missing_packages

WORDS = next(iter(PEERS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = tmp_path / "data" / "trec6"
    task.mkdir(parents=True)
    rows = [{"text": f"text {n}", "label": "odd" if n % 2 else "even"} for n in range(1_200)]
    with gzip.open(task / "train.jsonl.gz", "wt") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)
    return task.parent


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "page.md"
    path.write_text("Before.\n<!-- measured -->\nold\n<!-- end -->\nAfter.\n")
    monkeypatch.setattr(trial, "PAGE", path)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    return path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The models that were measured, each with its number of labels."""
    calls: list[tuple[str, int]] = []

    def measure(
        name: str, train: Sequence[Example], judged: Sequence[Example], *_: Any
    ) -> dict[str, Any]:
        assert not {one.text for one in train} & {one.text for one in judged}
        calls.append((name, len(train)))
        return dict.fromkeys(("accuracy", "macro_f1", "ece", "seconds"), 0.5) | {"speed": 9.0}

    monkeypatch.setattr(trial, "measure", measure)
    return calls


def test_a_later_run_adds_cells(
    folder: Path, page: Path, measured: list[tuple[str, int]], tmp_path: Path
) -> None:
    call = [str(folder), "--task", "trec6", "--peer", WORDS, "--workspace", str(tmp_path / "own")]
    trial.main([*call, "--labels", "64", "--seeds", "1"])
    assert measured == [(WORDS, 64)]
    measured.clear()
    trial.main([*call, "--labels", "64", "--labels", "100", "--seeds", "2"])
    assert measured == [(WORDS, 100), (WORDS, 64), (WORDS, 100)]
    assert f"| trec6 | 64 | {WORDS} | 2 | 0.500 |" in page.read_text()
    assert f"| trec6 | 100 | {WORDS} | 2 | 0.500 |" in page.read_text()
    assert page.read_text().startswith("Before.")
    assert page.read_text().endswith("After.\n")
    assert "old" not in page.read_text()


def test_a_choice_of_other_length_is_another_row(
    folder: Path, page: Path, measured: list[tuple[str, int]], tmp_path: Path
) -> None:
    call = [str(folder), "--task", "trec6", "--peer", WORDS, "--quality", "balanced"]
    call += ["--labels", "64", "--seeds", "1", "--workspace", str(tmp_path / "own")]
    trial.main([*call, "--minutes", "2"])
    trial.main(call)
    assert [name for name, _ in measured] == [
        WORDS,
        "valence, balanced, 2 minutes",
        "valence, balanced",
    ]
    assert page.read_text().count("valence, balanced") == 2


@pytest.mark.parametrize("name", [name for name in PEERS if "TF-IDF" in name])
def test_a_peer_tells_labels_apart(name: str, tmp_path: Path) -> None:
    train = [
        Example("a fine day", "good", "files"),
        Example("a fine house", "good", "files"),
        Example("an ugly day", "poor", "files"),
        Example("an ugly house", "poor", "files"),
    ]
    found = answer(name, Given(train, ["fine", "ugly"], ["good", "none", "poor"], tmp_path))
    assert found.probabilities.argmax(axis=1).tolist() == [0, 2]
    assert np.allclose(found.probabilities.sum(axis=1), 1.0)
    # train has no text of this label
    assert found.probabilities[:, 1].tolist() == [0.0, 0.0]


def test_a_peer_without_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list_missing_packages() == {"fastText": "fasttext", "SetFit on MiniLM": "setfit"}
