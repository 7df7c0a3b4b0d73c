from __future__ import annotations

from pathlib import Path

import pytest
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.cli import tables
from valence.training.config.columns import Columns
from valence.training.evaluation import stored_model
from valence.training.evaluation.assessment.outside import assess_outside, read_outside_texts

TEXTS = ["good", "bad movie", "not very good", "the movie was bad and good !"]
STRANGE = ["very", "a", "", "zzz zzz"]


def test_lost_and_found_texts_are_those_past_the_threshold(telling_folder: Path) -> None:
    loaded = artifact.load(telling_folder)
    classifier, engine = Classifier(loaded), ReferenceEngine(loaded)
    scores, strange = (
        stored_model.compute_outside(classifier, engine, texts) for texts in (TEXTS, STRANGE)
    )
    found = assess_outside(classifier, engine, TEXTS, STRANGE)
    assert found is not None
    assert (found.texts, found.outside_texts, found.threshold) == (4, 4, 0.75)
    assert (found.lost, found.found) == ((scores >= 0.75).sum(), (strange >= 0.75).sum())
    pairs = [(one, other) for one in scores for other in strange]
    assert found.auroc == pytest.approx(sum(one < other for one, other in pairs) / len(pairs))
    line = tables.tell_outside(found)
    assert f"{found.lost} of 4 texts" in line
    assert "AUROC" in line
    alone = assess_outside(classifier, engine, TEXTS, ())
    assert alone is not None
    assert (alone.lost, alone.outside_texts, alone.auroc) == (found.lost, 0, None)
    assert "AUROC" not in tables.tell_outside(alone)


def test_a_model_that_does_not_tell_is_named(tiny_folder: Path) -> None:
    loaded = artifact.load(tiny_folder)
    classifier, engine = Classifier(loaded), ReferenceEngine(loaded)
    assert assess_outside(classifier, engine, TEXTS, ()) is None
    with pytest.raises(ConfigurationError, match="--outside: sentiment:1 does not tell"):
        assess_outside(classifier, engine, TEXTS, STRANGE)


def test_texts_are_read_whatever_their_labels(tmp_path: Path) -> None:
    file = tmp_path / "strange.csv"
    file.write_text("text,label\nhello,greeting\nhow are you,question\n")
    assert read_outside_texts([str(file)], Columns("text", "label")) == ("hello", "how are you")
    file.write_text("text,label\n")
    with pytest.raises(ConfigurationError, match=r"strange\.csv"):
        read_outside_texts([str(file)], Columns("text", "label"))
