"""The queue of a model: its order, its reasons, and its files."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.reference import (
    CONFIDENCES,
    ConfidenceCounts,
    NamedCounts,
    RangeCounts,
    Reference,
)
from valence.training.active_learning.files import COLUMNS, format_csv, format_tasks
from valence.training.active_learning.queue import rank_texts
from valence.training.corpora.normal_form import normal_form

from tests.support.tiny_models import CountingEngine, make_linear


def rank(artifact: Artifact, texts: list[str], count: int = 10, labelled: tuple[str, ...] = ()):
    return rank_texts(artifact, CountingEngine(), texts, count=count, labelled=labelled)


def test_the_unsure_text_comes_first(tiny_artifact: Artifact) -> None:
    """The logit of negative is the number of times good occurs, and of neutral that of bad."""
    entries = rank(tiny_artifact, ["good good good good good", "good bad", "good good movie"])
    assert entries[0].text == "good bad"
    assert {entry.reason for entry in entries} == {"uncertain"}
    assert entries[0].worth > entries[-1].worth


def test_copies_and_labelled_texts_are_left_out(tiny_artifact: Artifact) -> None:
    texts = ["Good movie", "good movie", "bad movie", "", "the movie"]
    entries = rank(tiny_artifact, texts, labelled=(normal_form("The movie"),))
    assert sorted(entry.text for entry in entries) == ["Good movie", "bad movie"]
    assert len(rank(tiny_artifact, texts, count=1)) == 1
    assert rank(tiny_artifact, ["", " "]) == []


def test_a_new_kind_of_text_is_told(tiny_artifact: Artifact) -> None:
    """All texts of the training were of one or two tokens."""
    short = RangeCounts(bounds=(2.0,), texts=(500, 0))
    classes = len(CONFIDENCES) + 1
    confidence = ConfidenceCounts(bounds=CONFIDENCES, texts=(0,) * classes, right=(0,) * classes)
    labels = NamedCounts(names=("negative", "(other)"), texts=(0, 0))
    known = dataclasses.replace(
        tiny_artifact,
        reference=Reference(labels=labels, confidence=confidence, lengths=short),
    )
    sure = "good good good good good"
    texts = [f"{sure} {'the ' * number}" for number in range(60)] + [f"{sure} movie"]
    entries = rank(known, texts, count=5)
    assert {entry.reason for entry in entries} == {"drifting"}


def test_a_linear_model_has_a_queue(tiny_artifact: Artifact) -> None:
    entries = rank(make_linear(tiny_artifact), ["good movie", "bad movie", "<>"])
    assert len(entries) == 3


def test_the_files_have_texts_predictions_and_reasons(tiny_artifact: Artifact) -> None:
    entries = rank(tiny_artifact, ['a "good",\nbad movie', "bad"])
    rows = list(csv.DictReader(format_csv(entries).splitlines(keepends=True)))
    assert tuple(rows[0]) == COLUMNS
    by_text = {row["text"]: row for row in rows}
    assert by_text['a "good",\nbad movie']["label"] == ""
    assert by_text["bad"]["predicted"] == "neutral"
    tasks = {
        one["data"]["text"]: one
        for one in json.loads(format_tasks(entries, tiny_artifact.manifest))
    }
    (prediction,) = tasks["bad"]["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["neutral"]}
    assert prediction["model_version"] == "sentiment:1"
    assert np.isclose(prediction["score"], float(by_text["bad"]["score"]), atol=1e-4)
