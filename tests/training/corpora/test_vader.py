from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.training.corpora import catalog, vader
from valence.training.corpora.archive import fetch


@pytest.fixture
def examples(index, tmp_path) -> list[catalog.Example]:
    return list(vader.read(fetch(catalog.CORPORA["vader"].package, tmp_path)))


def test_every_part_is_read_in_order_with_its_label(examples) -> None:
    assert [(e.text, e.label) for e in examples] == [
        ("the picture keeps scrolling & flickers.", "negative"),
        ("it is what it is.", "neutral"),
        ("A splash of café noir.", "positive"),
        ("So lucky!", "positive"),
    ]
    assert {e.corpus for e in examples} == {"vader"}


def test_shares_count_raters_below_at_and_above_zero(examples) -> None:
    assert examples[0].shares == {"negative": 0.75, "neutral": 0.25, "positive": 0.0}
    assert examples[1].shares == {"negative": 0.0, "neutral": 0.5, "positive": 0.5}


@pytest.mark.parametrize(
    ("mean", "label"),
    [
        (-4, "negative"),
        (-0.51, "negative"),
        (-0.5, "neutral"),
        (0, "neutral"),
        (0.5, "neutral"),
        (0.51, "positive"),
        (4, "positive"),
    ],
)
def test_a_mean_rating_within_half_a_point_of_zero_is_neutral(mean: float, label: str) -> None:
    assert vader.label_of(mean) == label


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=99))
def test_shares_sum_to_one(ratings: list[int]) -> None:
    assert sum(vader.shares_of(ratings).values()) == pytest.approx(1)
