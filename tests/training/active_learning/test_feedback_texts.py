"""Labelled texts out of the feedback database."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.feedback.record import Record
from valence.training.active_learning.feedback_texts import write_texts


def make_record(number: int, *, model: str = "topic", text: str = "A draw.", truth=("sport",)):
    return Record(f"id-{number}", model, "1", float(number), None, None, truth, 1.0, text=text)


def test_texts_with_their_truth_become_rows(tmp_path: Path) -> None:
    records = [make_record(1), make_record(2, text=""), make_record(3, text="Shares fell.")]
    name, path = write_texts(records, tmp_path / "out", text="body", label="class")
    assert (name, path) == ("topic", tmp_path / "out" / "topic.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"body": "A draw.", "class": "sport"},
        {"body": "Shares fell.", "class": "sport"},
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_several_labels_of_a_text_stay_lists(tmp_path: Path) -> None:
    records = [make_record(1), make_record(2, truth=("sport", "business"))]
    _, path = write_texts(records, tmp_path, text="text", label="label")
    labels = [json.loads(line)["label"] for line in path.read_text().splitlines()]
    assert labels == [["sport"], ["sport", "business"]]


def test_several_models_need_a_name(tmp_path: Path) -> None:
    records = [make_record(1), make_record(2, model="sentiment", truth=("positive",))]
    with pytest.raises(ConfigurationError, match="sentiment, topic; name one"):
        write_texts(records, tmp_path, text="text", label="label")
    # a model whose feedback has no text is no model to choose
    records = [make_record(1), make_record(2, model="sentiment", text="")]
    assert write_texts(records, tmp_path, text="text", label="label")[0] == "topic"


def test_feedback_without_texts_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"1 labels without one.*VALENCE_FEEDBACK_TEXT"):
        write_texts([make_record(1, text="")], tmp_path, text="text", label="label")
    with pytest.raises(ConfigurationError, match="no text of this model, and 0 labels"):
        write_texts([], tmp_path, text="text", label="label")
