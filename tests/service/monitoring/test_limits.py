"""Limits hold exactly, for rare classes and small references too."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from valence.service.monitoring.limits import find_limits

WINDOW = 60


def counts(*numbers):
    return np.array(numbers, dtype=np.int64)


@pytest.mark.parametrize("total", [1, 40, 5_000])
def test_a_limit_is_the_last_count_with_enough_of_a_tail(total):
    """Beside the hypergeometric distribution in exact fractions."""
    texts = np.unique(np.linspace(0, total, 12).astype(np.int64))
    rate = 0.01
    low, high = find_limits(texts, np.full_like(texts, total), window=WINDOW, rate=rate)
    each = rate / (2 * len(texts))

    def tail(counts, together):
        whole = comb(total + WINDOW, WINDOW)
        return sum(
            Fraction(comb(together, x) * comb(total + WINDOW - together, WINDOW - x), whole)
            for x in counts
        )

    def upper(count, known):
        return tail(range(int(count), WINDOW + 1), int(known + count))

    def lower(count, known):
        return tail(range(int(count) + 1), int(known + count))

    for place, known in enumerate(texts):
        assert upper(high[place], known) > each
        assert high[place] == WINDOW or upper(high[place] + 1, known) <= each
        assert lower(low[place], known) > each
        assert low[place] == 0 or lower(low[place] - 1, known) <= each


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.9, 0.09, 0.01), (0.34, 0.33, 0.33)])
@pytest.mark.parametrize("total", [80, 2_000])
def test_false_alarms_are_as_rare_as_stated(shares, total):
    """The reference is drawn anew too, so that its chance counts; 3,000 runs at 10 %."""
    random = np.random.default_rng(1)
    runs, rate = 3_000, 0.1
    references = random.multinomial(total, shares, size=runs)
    windows = random.multinomial(WINDOW, shares, size=runs)
    # the limits of all runs at once: each run has its own share of the rate
    texts = references.ravel()
    totals = np.full_like(texts, total)
    limits = find_limits(texts, totals, window=WINDOW, rate=rate * runs)
    low, high = (side.reshape(runs, -1) for side in limits)
    alarms = int(((windows < low) | (windows > high)).any(axis=1).sum())
    # three standard deviations above the rate
    assert alarms / runs <= rate + 3 * (rate * (1 - rate) / runs) ** 0.5
    assert alarms, "limits that nothing passes would tell no drift"


def test_more_events_have_wider_limits():
    one = find_limits(counts(300), counts(1_000), window=500, rate=1e-4)
    many = find_limits(counts(*[300] * 40), counts(*[1_000] * 40), window=500, rate=1e-4)
    assert many.low[0] < one.low[0] < 150 < one.high[0] < many.high[0]


def test_nothing_is_usual_or_not_without_a_reference():
    assert find_limits(counts(0), counts(0), window=500, rate=1e-4) == (counts(0), counts(500))
    assert all(len(side) == 0 for side in find_limits(counts(), counts(), window=5, rate=0.1))
