"""The whole loop with real processes: from texts that drift to a better model that answers.

python -m pytest -m slow tests/e2e/test_loop.py
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.e2e.conftest import Server, _environment

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAME = "desk"
LABELS = ("business", "science", "sport")
_SYLLABLES = ("ba", "do", "fe", "gi", "ku", "la", "mo", "ne", "pi", "ra", "su", "ti", "vo", "wa")
_CONFIGURATION = """
name = "desk"
labels = ["business", "science", "sport"]
[data]
files = [{files}]
text = "text"
label = "label"
[words]
vectors = ""
learned_size = 4
[ngrams]
alone = true
"""
_QUIET = ("--no-track", "--device", "cpu")
# of a request
_TEXTS = 50
_WAIT_SECONDS = 120
Labelled = list[tuple[str, str]]


class Domain:
    """Texts of three labels: each has words of its own label, and words of the whole domain."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)

        def make_words(count: int) -> list[str]:
            return ["".join(random.choice(_SYLLABLES, 3)) for _ in range(count)]

        self._random = random
        self._common = make_words(60)
        self._words = {label: make_words(30) for label in LABELS}

    def draw(self, count: int) -> Labelled:
        """``count`` texts with their true labels, a third each."""
        drawn = []
        for number in range(count):
            label = LABELS[number % len(LABELS)]
            words = [
                *self._random.choice(self._common, 8),
                *self._random.choice(self._words[label], 4),
            ]
            self._random.shuffle(words)
            drawn.append((" ".join(words).capitalize() + ".", label))
        return drawn


def write_table(path: Path, texts: Labelled) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(texts)


class Place:
    """A folder with a store, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.settings = {
            "VALENCE_MODELS": NAME,
            "VALENCE_FEEDBACK_DATABASE": str(folder / "feedback.db"),
            "VALENCE_FEEDBACK_TEXT": "true",
            "VALENCE_SAMPLE_TEXTS": "900",
            "VALENCE_RELOAD_SECONDS": "0.2",
        }

    def run(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Run a command of ``valence`` there; what it printed."""
        database = {
            name: value for name, value in self.settings.items() if name.endswith("DATABASE")
        }
        done = subprocess.run(
            [sys.executable, "-m", "valence.training", *arguments],
            cwd=self.folder,
            env=_environment(self.home, **database),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def configure(self, *files: str) -> str:
        """Write the configuration of a linear model of ``files``; its name."""
        names = ", ".join(f'"{name}"' for name in files)
        (self.folder / "desk.toml").write_text(_CONFIGURATION.format(files=names))
        return "desk.toml"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def known() -> Domain:
    return Domain(1)


@pytest.fixture
def new() -> Domain:
    return Domain(2)


@pytest.fixture
def running(place: Place, known: Domain, serving: Callable[..., Any]) -> Iterator[Server]:
    """A service of a model that was trained on the known domain."""
    write_table(place.folder / "train.csv", known.draw(1_500))
    place.run("train", place.configure("train.csv"), *_QUIET, "--no-baselines")
    with serving(
        "valence.service.app:Valence", cwd=place.folder, home=place.home, **place.settings
    ) as server:
        yield server


def send(server: Server, texts: Labelled) -> list[dict[str, Any]]:
    """Classify ``texts`` in requests, and give feedback for one request in five."""
    results = []
    for start in range(0, len(texts), _TEXTS):
        part = texts[start : start + _TEXTS]
        answer = httpx.post(
            f"{server.url}/v1/classify", json={"texts": [text for text, _ in part]}, timeout=60
        ).json()
        results += answer["results"]
        # the monitor and the sampler look every half second
        time.sleep(0.6)
        if start % (5 * _TEXTS):
            continue
        pieces = [
            {
                "prediction_id": f"{answer['prediction_id']}.{index}",
                "label": label,
                # an uncertain answer has no label, and its likeliest one is what was predicted
                "predicted": result["scores"][0]["label"],
                "score": result["scores"][0]["score"],
                "text": text,
            }
            for index, ((text, label), result) in enumerate(
                zip(part, answer["results"], strict=True)
            )
        ]
        done = httpx.post(f"{server.url}/v1/feedback", json={"feedback": pieces}, timeout=60)
        assert done.json() == {"stored": len(pieces)}, done.text
    return results


def measure(server: Server, texts: Labelled) -> float:
    """The accuracy of what is served, on texts that it has not seen."""
    results = []
    for start in range(0, len(texts), _TEXTS):
        part = [text for text, _ in texts[start : start + _TEXTS]]
        answer = httpx.post(f"{server.url}/v1/classify", json={"texts": part}, timeout=60)
        results += [result["label"] for result in answer.json()["results"]]
    return float(np.mean([a == b for a, (_, b) in zip(results, texts, strict=True)]))


def watch(server: Server) -> dict[str, Any]:
    report: dict[str, Any] = httpx.get(f"{server.url}/v1/monitor").json()["models"][0]
    return report


def test_drift_is_told_labelled_learnt_and_served(
    place: Place, running: Server, known: Domain, new: Domain
) -> None:
    version = httpx.get(f"{running.url}/v1/models").json()["models"][0]["version"]
    monitor = ("--when", "drift", "--monitor", f"{running.url}/v1/monitor")
    send(running, known.draw(1_000))
    assert watch(running)["drifted"] == []
    # without drift nothing is trained
    said = place.run("retrain", "desk.toml", *_QUIET, *monitor, codes=(3,))
    assert said.startswith("not trained:")
    arriving = new.draw(1_000)
    truth = dict(arriving)
    send(running, arriving)
    report = watch(running)
    assert {"unknown_words", "confidence"} <= set(report["drifted"]), report
    before = measure(running, new.draw(300))
    # the queue asks for texts of the new kind; a person labels them
    place.run("queue", NAME, "--sample", "--count", "400", "--out", "queue.csv")
    with (place.folder / "queue.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    asked = [row["text"] for row in rows if row["text"] in truth]
    assert len(asked) >= 0.5 * len(rows)
    assert {row["reason"] for row in rows} & {"drifting", "uncertain"}
    write_table(place.folder / "labelled.csv", [(text, truth[text]) for text in asked])
    # what served was told too
    (served,) = json.loads(place.run("feedback", "report", "--json"))
    assert served["texts"] == 400
    (place.folder / "feedback.jsonl").write_text(place.run("feedback", "export"))
    place.configure("train.csv", "labelled.csv", "feedback.jsonl")
    said = place.run("retrain", "desk.toml", *_QUIET, *monitor)
    assert said.startswith("trained:"), said
    deadline = time.monotonic() + _WAIT_SECONDS
    while httpx.get(f"{running.url}/v1/models").json()["models"][0]["version"] == version:
        assert time.monotonic() < deadline, "the promoted version was not loaded"
        time.sleep(0.2)
    after = measure(running, new.draw(300))
    assert after >= before + 0.2, (before, after)
    assert measure(running, known.draw(300)) >= 0.9
