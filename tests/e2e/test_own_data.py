"""From a user's files to answers with three commands, as the README shows them."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pytest
from pyarrow import parquet

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# keep the chosen network small and free of vectors that would be downloaded
SMALL = """
from valence.training.data import autoconfig
choices = autoconfig._choose_sections
def small(*arguments):
    chosen = choices(*arguments)
    chosen["optimization"] |= {"learning_rate": 0.05, "epochs": 20, "patience": 20}
    chosen["optimization"]["warmup_steps"] = 0
    return chosen | {"words": {"vectors": "", "learned_size": 16}, "network": {"hidden_size": 8}}
autoconfig._choose_sections = small
from valence.training.__main__ import main
main()
"""
SAID = {
    "gut": ("großartig", "schön", "köstlich"),
    "mäßig": ("mittelmäßig", "gewöhnlich", "erträglich"),
    "übel": ("fürchterlich", "öde", "scheußlich"),
}
FILLER = """
das Essen war der Film im Hotel am Abend mit uns für alle nach dem Konzert wieder einmal
heute gestern immer sehr recht ziemlich überall drüben Zimmer Musik Stück Ende Anfang Bühne
Küche Frühstück Gespräch Möbel Straße Grüße Bücher Lieder Spiel Reise Zug Laden Telefon
"""
Training = Callable[..., subprocess.CompletedProcess[str]]
Served = Callable[..., AbstractContextManager[Any]]


def sentence(generator: random.Random, *labels: str) -> str:
    words = generator.choices(FILLER.split(), k=9)
    for label in labels:
        words.insert(generator.randrange(len(words)), generator.choice(SAID[label]))
    return " ".join(words) + "."


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def training(repository: Path, tmp_path: Path, home: Path, monkeypatch) -> Training:
    """Return a function that runs ``valence`` with arguments and returns its result."""
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def training(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", SMALL, *arguments, "--workspace", str(tmp_path / "work")],
            cwd=repository,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done

    return training


@pytest.fixture
def served(serving, repository: Path, tmp_path: Path, home: Path) -> Served:
    """Return the context manager ``served(**settings)``, which serves the models of the home's
    store.
    """
    return partial(
        serving,
        "valence.service.app:Valence",
        cwd=tmp_path,
        home=home,
        PYTHONPATH=str(repository),
    )


def shuffled(folder: Path) -> Path:
    """Write one table as four files with other encodings, delimiters and column orders."""
    generator = random.Random(1)
    rows = [
        {"Urteil": label, "Nr": str(number), "Kommentar": sentence(generator, label)}
        for number, label in enumerate(generator.choices(list(SAID), k=1_200))
    ]
    folder.mkdir()
    written = (("a.csv", "utf-16", ";"), ("b.csv", "cp1252", "|"), ("c.tsv", "utf-8-sig", "\t"))
    for part, (name, encoding, delimiter) in enumerate(written):
        columns = generator.sample(list(rows[0]), 3)
        with (folder / name).open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, columns, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows[part::4])
    parquet.write_table(pyarrow.Table.from_pylist(rows[3::4]), folder / "d.parquet")
    return folder


def test_three_commands_train_evaluate_and_serve_any_encoding(
    training: Training, served: Served, tmp_path: Path
) -> None:
    folder = shuffled(tmp_path / "Urteile")
    columns = ("--text", "Kommentar", "--label", "Urteil")
    # progress messages are for terminals; the verdict is not
    retrained = training("retrain", "--data", str(folder), *columns, "--no-track")
    assert retrained.stdout.startswith("promoted: urteile:")
    verdict = json.loads(next((tmp_path / "work" / "verdicts").glob("*.json")).read_text())
    assert verdict["held_out_texts"] > 80

    evaluated = training("evaluate", "urteile", "--data", str(folder / "a.csv"), *columns, "--json")
    judged = json.loads(evaluated.stdout)
    (scores,) = judged.values()
    assert scores["labels"] == ["gut", "mäßig", "übel"]
    assert scores["macro_f1"] > 0.9
    assert scores["intervals"]["macro_f1"][0] <= scores["macro_f1"]

    with served(VALENCE_MODELS="urteile") as server:
        texts = ["Das Frühstück war köstlich.", "Die Straße drüben war öde."]
        answer = httpx.post(f"{server.url}/v1/classify", json={"texts": texts}).json()
        card = httpx.get(f"{server.url}/v1/models/urteile").json()
    assert [result["label"] for result in answer["results"]] == ["gut", "übel"]
    assert answer["model"]["name"] == "urteile"
    assert card["training"]["corpora"][0]["name"] == "a.csv"


@pytest.mark.parametrize("form", ["strings", "lists"])
def test_a_multi_label_model_is_served_with_its_thresholds(
    training: Training, served: Served, tmp_path: Path, form: str
) -> None:
    """Texts with several labels are trained on, evaluated and served."""
    generator = random.Random(2)
    # every subset of the labels, the empty subset included
    given = [generator.sample(list(SAID), generator.randrange(3)) for _ in range(900)]
    texts = [sentence(generator, *labels) for labels in given]
    options: Sequence[str] = ()
    if form == "lists":
        path = tmp_path / "tags.jsonl"
        rows = [{"text": text, "label": tags} for text, tags in zip(texts, given, strict=True)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path = tmp_path / "tags.csv"
        lines = [f"{text};{'/'.join(tags)}" for text, tags in zip(texts, given, strict=True)]
        path.write_text("\n".join(["text;label", *lines]), encoding="cp1252")
        options = ("--multi-label", "--separator", "/")
    quick = ("--quality", "fast", "--no-track", "--no-baselines")
    trained = training("train", "--data", str(path), *options, *quick)
    assert trained.stdout.startswith("tags:")

    # columns and separator come from the training
    evaluated = training("evaluate", "tags", "--data", str(path), "--json")
    (scores,) = json.loads(evaluated.stdout).values()
    assert scores["task"] == "multi_label"
    assert scores["macro_f1"] > 0.9
    # of a training file only the held-out part is evaluated
    assert 50 < scores["count"] < 150
    assert "held out for the test" in " ".join(evaluated.stderr.split())

    with served(VALENCE_MODELS="tags") as server:
        texts = ["Das Essen war köstlich, die Musik öde.", "Das Ende im Zimmer."]
        answer = httpx.post(f"{server.url}/v1/classify", json={"texts": texts}).json()
        card = httpx.get(f"{server.url}/v1/models/tags").json()
    assert [set(result["labels"]) for result in answer["results"]] == [{"gut", "übel"}, set()]
    assert set(card["thresholds"]) == set(SAID)
