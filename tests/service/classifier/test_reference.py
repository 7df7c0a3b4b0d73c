"""The reference in an artifact, and what older artifacts have in its place."""

import json

import numpy as np
import pytest
from valence.service.classifier import artifact, reference, seal
from valence.service.classifier.reference import OTHER
from valence.service.errors import ArtifactError

from tests.support.tiny_models import save_tiny_model

BIN = {"low": 0.0, "confidence": 0.0}
SCORES = {
    "confusion": [[5, 1, 0], [1, 2, 1], [0, 0, 3]],
    "reliability": [
        BIN | {"high": 0.5, "count": 4, "accuracy": 0.25},
        BIN | {"high": 1.0, "count": 9, "accuracy": 1.0},
    ],
}


def change(folder, *, metrics=None, files=()):
    """Give a model other metrics and files in its report, and seal it anew."""
    path = folder / artifact.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["metrics"] = metrics or manifest["metrics"]
    path.write_text(json.dumps(manifest))
    (folder / artifact.REPORT).mkdir(exist_ok=True)
    for name, content in files:
        (folder / artifact.REPORT / name).write_text(content)
    seal.seal(folder)
    return folder


def test_a_reference_is_read_as_it_was_written(tmp_path):
    counted = reference.Reference(
        labels=reference.count_names(["a", "b", "a", "c"], limit=2),
        confidence=reference.ConfidenceCounts(bounds=(0.5,), texts=(1, 3), right=(0, 3)),
        lengths=reference.RangeCounts(bounds=(4, 8), texts=(1, 2, 1)),
    )
    assert counted.labels.names == ("a", "b", OTHER)
    assert counted.labels.texts == (2, 1, 1)
    assert (counted.texts, counted.accuracy) == (4, 0.75)
    folder = save_tiny_model(tmp_path / "m")
    (folder / artifact.REPORT).mkdir()
    reference.write(folder / artifact.REPORT / reference.FILE, counted)
    seal.seal(folder)
    assert artifact.load(folder).reference == counted


def test_an_older_artifact_is_compared_with_its_scores(tmp_path):
    lengths = [1] * 16
    files = [(reference.PROFILE, json.dumps({"lengths": lengths, "texts": 16}))]
    folder = change(save_tiny_model(tmp_path / "m"), metrics={"test": SCORES}, files=files)
    found = artifact.load(folder).reference
    assert dict(zip(found.labels.names, found.labels.texts, strict=True)) == {
        "negative": 6,
        "positive": 4,
        "neutral": 3,
        OTHER: 0,
    }
    assert found.confidence.bounds == (0.5,)
    assert found.confidence.texts == (4, 9)
    assert found.accuracy == pytest.approx(10 / 13)
    assert found.lengths.texts == tuple(lengths)
    assert found.unknown_words is None


def test_an_artifact_without_scores_has_no_reference(tmp_path):
    assert artifact.load(save_tiny_model(tmp_path / "m")).reference is None
    scores = SCORES | {"confusion": []}
    thresholds = dict.fromkeys(("business", "sport"), 0.5)
    multi = save_tiny_model(tmp_path / "n", name="topic", thresholds=thresholds)
    assert artifact.load(change(multi, metrics={"test": scores})).reference is None


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        '{"labels": {"names": ["a", "b"], "texts": [1]}}',
        '{"labels": {"names": ["a"], "texts": [-1]}}',
    ],
)
def test_a_damaged_reference_is_refused_by_its_name(tmp_path, content):
    folder = change(save_tiny_model(tmp_path / "m"), files=[(reference.FILE, content)])
    with pytest.raises(ArtifactError, match=r"reference\.json: .*train the model again"):
        artifact.load(folder)


def test_a_value_at_a_bound_is_below_it():
    assert reference.count_ranges(np.array([4, 5, 8, 9]), (4, 8)) == (1, 2, 1)
