from __future__ import annotations

import pytest
from valence.training.behaviour.capability import (
    MAX_FAILURES_SHOWN,
    ScoredText,
    add_comparison,
    summarize_cases,
)


def failure(number: int) -> tuple[ScoredText, ...]:
    return (ScoredText(text=f"text {number}", label="bad", polarity=-0.5),)


def test_the_interval_is_that_of_wilson() -> None:
    found = summarize_cases(
        "negation", "minimum functionality", "a label", [True] * 8 + [False] * 2
    )
    assert (found.tried, found.passed, found.rate) == (10, 8, 0.8)
    # (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), by hand for z = 1.959964
    assert found.interval == pytest.approx((0.490162, 0.943318), abs=1e-6)


def test_extreme_intervals_stay_within_0_and_1() -> None:
    """All cases passed, and no case passed."""
    every = summarize_cases("case", "invariance", "the same", [True] * 400)
    none = summarize_cases("case", "invariance", "the same", [False] * 400)
    assert 0.98 < every.interval[0] < every.interval[1] == 1.0
    assert none.interval[0] == 0.0 < none.interval[1] < 0.02


def test_the_shown_failures_are_spread_over_the_cases() -> None:
    failures = [failure(number) for number in range(9)]
    found = summarize_cases("x", "directional", "up", [False] * 9, failures)
    assert [case[0].text for case in found.failures] == ["text 0", "text 3", "text 6"]
    for count in range(MAX_FAILURES_SHOWN + 2):
        found = summarize_cases("x", "directional", "up", [False] * 9, failures[:count])
        assert len(found.failures) == min(count, MAX_FAILURES_SHOWN)


def test_a_result_without_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="negation: a capability needs at least one case"):
        summarize_cases("negation", "minimum functionality", "a label", [])


def test_the_record_of_a_result_has_its_values() -> None:
    found = summarize_cases("case", "invariance", "the same", [True, False])
    record = found.record()
    assert (record.kind, record.tried, record.passed) == ("invariance", 2, 1)
    assert (record.rate, record.interval) == (found.rate, found.interval)


def test_rates_of_another_classifier_are_joined_by_name() -> None:
    ours = [summarize_cases(name, "invariance", "the same", [True]) for name in ("case", "typo")]
    theirs = [summarize_cases("typo", "invariance", "the same", [True, False])]
    assert [result.against for result in add_comparison(ours, theirs)] == [None, 0.5]
