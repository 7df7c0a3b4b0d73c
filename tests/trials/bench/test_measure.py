from __future__ import annotations

import time

import pytest

from tests.trials.bench.measure import interleave, median, percentile, rate


def test_subjects_are_measured_once_per_round_in_rotation():
    calls: list[str] = []

    def subject(name):
        def measure():
            calls.append(name)
            return len(calls)

        return measure

    taken = interleave({name: subject(name) for name in "abc"}, rounds=3)
    assert calls == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert taken == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_percentile_is_the_nearest_rank(share, expected):
    assert percentile(range(1, 101), share) == expected


def test_percentile_of_one_value_is_that_value():
    assert percentile([7.0], 0.99) == 7.0


def test_percentile_without_values_is_refused():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_median_ignores_one_outlier():
    assert median([1.0, 2.0, 1000.0]) == 2.0


def test_rate_counts_processor_time_and_not_waiting():
    def work():
        end = time.process_time() + 0.002
        while time.process_time() < end:
            pass
        time.sleep(0.01)
        return 2

    # 2 units per 2 ms of work, whatever the sleep
    assert 700 < rate(work, seconds=0.02) <= 1000
