from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.truncation import (
    TRUNCATIONS,
    Truncation,
    count_new_tokens,
    select_ranges,
)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(TRUNCATIONS))
def test_a_text_within_the_limit_is_read_completely(
    tokens: int, more: int, truncation: Truncation
) -> None:
    """With every truncation."""
    assert select_ranges(tokens, max(tokens + more, 1), truncation) == (range(tokens),)


@pytest.mark.parametrize(
    ("truncation", "expected"),
    [
        ("error", ()),
        ("head", (range(8),)),
        ("tail", (range(13, 21),)),
        ("head_tail", (range(4), range(17, 21))),
        ("window", (range(8), range(6, 14), range(12, 20), range(13, 21))),
    ],
)
def test_a_longer_text_is_read_as_its_truncation_says(
    truncation: Truncation, expected: tuple[range, ...]
) -> None:
    assert select_ranges(21, 8, truncation) == expected


def test_with_an_odd_limit_the_head_gets_the_extra_token() -> None:
    assert select_ranges(9, 5, "head_tail") == (range(3), range(7, 9))
    assert select_ranges(2, 1, "head_tail") == (range(1), range(2, 2))


@given(st.integers(1, 40), st.integers(1, 400), st.sampled_from(("head", "tail", "head_tail")))
def test_a_truncated_text_has_the_limits_length_in_order(
    limit: int, more: int, truncation: Truncation
) -> None:
    """In the order of the text."""
    places = [place for part in select_ranges(limit + more, limit, truncation) for place in part]
    assert len(places) == limit
    assert places == sorted(set(places))
    assert 0 <= places[0] <= places[-1] < limit + more


@given(st.integers(1, 40), st.integers(1, 400))
def test_windows_cover_all_tokens_and_are_weighted(limit: int, more: int) -> None:
    """A window's weight is the number of tokens that it is the first to hold."""
    windows = select_ranges(limit + more, limit, "window")
    assert {len(window) for window in windows} == {limit}
    seen: set[int] = set()
    for window, weight in zip(windows, count_new_tokens(windows), strict=True):
        assert weight == len(set(window) - seen) > 0
        # windows overlap by at least a quarter: every token has neighbours on both sides in some
        # window
        assert not seen or len(seen & set(window)) >= limit // 4
        seen |= set(window)
    assert seen == set(range(limit + more))


def test_the_work_of_windows_is_linear_in_the_text() -> None:
    read = sum(map(len, select_ranges(100_000, 256, "window")))
    assert read < 100_000 * 4 / 3 + 2 * 256
