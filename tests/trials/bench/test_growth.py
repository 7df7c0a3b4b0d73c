from __future__ import annotations

import pytest

pytest.importorskip("torch")

from tests.trials.bench.growth import growth, memory_growth

MEBIBYTE = 2**20


def test_growth_is_relative_to_the_cheapest_smaller_size():
    assert growth({10: 3.0, 100: 2.0, 1000: 2.5, 10_000: 2.4}) == pytest.approx(1.25)


def test_decreasing_costs_have_no_growth():
    assert growth({10: 3.0, 100: 2.0, 1000: 1.0}) == 1.0


def test_memory_proportional_to_the_tokens_has_no_growth():
    assert memory_growth({10**6: 40 * MEBIBYTE, 10**7: 402 * MEBIBYTE}) == pytest.approx(1.0)


def test_memory_quadratic_in_the_tokens_grows_tenfold():
    sizes = {10**6: 40 * MEBIBYTE, 10**7: 4002 * MEBIBYTE}
    assert memory_growth(sizes) == pytest.approx(10.0)
