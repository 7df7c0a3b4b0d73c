from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.labels import check_labels
from valence.service.classifier.manifest import (
    FORMAT_VERSION,
    Manifest,
    Task,
    TeacherRecord,
    strip_paths,
)

from tests.support.tiny_models import describe_outside

OUTSIDE = describe_outside(0.75).model_dump(mode="json")


@pytest.fixture
def content(tiny_artifact: Artifact) -> dict[str, Any]:
    return tiny_artifact.manifest.model_dump(mode="json")


def test_a_manifest_survives_a_round_trip_through_json(tiny_artifact: Artifact) -> None:
    text = tiny_artifact.manifest.model_dump_json()
    assert Manifest.model_validate_json(text) == tiny_artifact.manifest
    assert tiny_artifact.manifest.format_version == FORMAT_VERSION


def test_vectors_of_an_artifact_are_null_one_or_a_list(content: dict[str, Any]) -> None:
    """The first artifacts hold one source of vectors or null."""
    one = {"name": "v", "source": "v==1", "sha256": "1" * 64}
    for written, read in ((None, []), (one, [one]), ([one, one], [one, one]), ([], [])):
        content["training"]["vectors"] = written
        vectors = Manifest.model_validate(content).training.vectors
        assert [vector.model_dump(exclude_defaults=True) for vector in vectors] == read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b", "a"]}, "have a label twice"),
        ({"labels": ["a", "b"], "polarity": None}, "2 labels, but the architecture has 3"),
        ({"polarity": {"negative": -1.0}}, "polarity has values for"),
        ({"polarity": {"negative": -2, "neutral": 0, "positive": 1}}, r"must lie in \[-1, 1\]"),
        ({"polarity": {"negative": math.nan, "neutral": 0, "positive": 1}}, "finite"),
        ({"outside": OUTSIDE}, "outside describes the last logit"),
        ({"outside": OUTSIDE | {"threshold": 1.0}}, "less than 1"),
        ({"outside": OUTSIDE | {"threshold": 0.0}}, "greater than 0"),
        ({"outside": OUTSIDE | {"threshold": math.nan}}, "finite"),
        ({"outside": OUTSIDE | {"auroc": 1.5}}, "less than or equal to 1"),
        ({"outside": OUTSIDE | {"inside": {"texts": 3, "found": 4}}}, "4 of 3 texts are found"),
        ({"outside": OUTSIDE | {"kinds": {}}}, "at least 1 item"),
        ({"temperature": 0.0}, "greater than or equal to 0.01"),
        ({"temperature": 5e-324}, "greater than or equal to 0.01"),
        ({"temperature": 100.1}, "less than or equal to 100"),
        ({"temperature": math.nan}, "finite"),
        ({"temperature": math.inf}, "finite"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"max_tokens": 1_000_001}, "less than or equal to 1000000"),
        ({"labels": ["a", "", "c"]}, "label 2 is empty"),
        ({"labels": ["a", " \u3000", "c"]}, "label 2 is empty"),
        ({"labels": ["a", "b", "c" * 2_000_000]}, "label 3 has 2,000,000 characters"),
        ({"labels": [str(number) for number in range(10_001)]}, "at most 10000 items"),
        ({"format_version": 2}, "format_version"),
        ({"task": "regression"}, "task"),
        ({"thresholds": {"positive": 0.5}}, "only for multi_label models"),
        ({"task": "multi_label"}, "requires a single_label model"),
        ({"version": "Mixed Case"}, "version"),
        ({"name": ""}, "name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    content: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**content, **change})


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({}, r"values for \[\], but the labels"),
        ({"negative": 0.5, "neutral": 0.5}, "but the labels are"),
        ({"negative": 0.5, "neutral": 0.5, "positive": 0.0}, r"must lie in \(0, 1\]"),
        ({"negative": 0.5, "neutral": 0.5, "positive": 1.01}, r"must lie in \(0, 1\]"),
    ],
)
def test_a_multi_label_model_needs_a_threshold_per_label(
    content: dict[str, Any], thresholds: dict[str, float], message: str
) -> None:
    fields = {**content, "task": "multi_label", "polarity": None}
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**fields, "thresholds": thresholds})
    whole = {"negative": 1e-6, "neutral": 0.5, "positive": 1.0}
    assert Manifest.model_validate({**fields, "thresholds": whole}).thresholds == whole


def test_a_manifest_is_immutable(tiny_artifact: Artifact) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        tiny_artifact.manifest.temperature = 2.0


def test_paths_of_texts_and_teachers_lose_their_folders() -> None:
    told = {
        "data": {"files": ["/home/alice/a.csv"], "dev": ["/home/alice/b.csv"]},
        "unlabelled": {"files": ["/home/alice/more.csv"]},
        "distillation": {
            "teacher": ["n-grams", "/home/alice/mine"],
            "answers": "/home/alice/said.safetensors",
        },
    }
    assert strip_paths(told) == {
        "data": {"files": ["a.csv"], "dev": ["b.csv"]},
        "unlabelled": {"files": ["more.csv"]},
        "distillation": {"teacher": ["n-grams", "mine"], "answers": "said.safetensors"},
    }
    assert strip_paths({"distillation": None}) == {"distillation": None}


def test_an_old_artifact_with_a_single_teacher_is_read() -> None:
    one = {"name": "mine", "source": "mine", "license": "MIT", "networks_sha256": ["ab"]}
    rest = {"metrics": {"dev": {"accuracy": 0.5}}, "texts": {"labelled": 3}, "targets_sha256": "c"}
    read = TeacherRecord.model_validate({**one, **rest})
    assert read == TeacherRecord.model_validate({"teachers": [one], **rest})
    assert [teacher.name for teacher in read.teachers] == ["mine"]


def test_an_error_about_labels_is_short(content: dict[str, Any]) -> None:
    """A damaged file may have many labels, and long ones."""
    polarity = {f"{number} {'x' * 1_000}": 0.5 for number in range(5_000)}
    with pytest.raises(ValidationError) as refused:
        Manifest.model_validate({**content, "polarity": polarity})
    (error,) = refused.value.errors()
    assert len(error["msg"]) < 1_000
    assert "and 4,990 more" in error["msg"]


@pytest.mark.parametrize("temperature", [0.01, 0.05, 20.0, 100.0])
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_temperature_in_bounds_keeps_numbers_finite(task: Task, temperature: float) -> None:
    largest = np.finfo(np.float32).max
    logits = np.array([[largest, -largest, 0.0], [-largest, -largest, -largest]], np.float32)
    found = to_probabilities(logits, temperature=temperature, task=task)
    assert np.isfinite(found).all()


def test_labels_may_lack_polarity() -> None:
    check_labels(("a", "b"), None)
    check_labels(("a", "b"), {"b": 1.0, "a": -1.0})


@pytest.mark.parametrize("change", [{"polarity": None}, {"outside": OUTSIDE}])
def test_sentences_need_a_polarity_and_no_outside(
    content: dict[str, Any], change: dict[str, Any]
) -> None:
    content["sentences"] = {"longer_than": 64, "sharpness": 2.0}
    assert Manifest.model_validate(content).sentences is not None
    content["architecture"]["outside"] = "outside" in change
    with pytest.raises(ValidationError, match="sentences weigh by their polarity"):
        Manifest.model_validate({**content, **change})
