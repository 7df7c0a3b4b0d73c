from __future__ import annotations

from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.labelling.label_names import read_labels


def test_names_have_commas_between_them() -> None:
    labels = read_labels("refund, lost_parcel,praise: the customer is happy,")
    assert [tuple(label) for label in labels] == [
        ("refund", "refund"),
        ("lost_parcel", "lost parcel"),
        ("praise", "the customer is happy"),
    ]


def test_a_file_has_a_label_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("refund: wants the money, all of it\n\npraise\n")
    assert [label.description for label in read_labels(str(path))] == [
        "wants the money, all of it",
        "praise",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("refund", "'refund': give two labels or more"),
        (",,", "give two labels or more"),
        ("refund,praise,refund: money", "'refund' is there twice"),
    ],
)
def test_what_names_no_labels_is_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_labels(given)
