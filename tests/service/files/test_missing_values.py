from __future__ import annotations

from decimal import Decimal

import pytest
from valence.service.files.missing_values import is_missing


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("Infinity")],
)
def test_null_and_numbers_that_are_not_finite_are_missing(value: object) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", ["", "nan", 0, 0.0, 1e308, False, Decimal("1.5"), [], {}])
def test_every_other_value_is_there(value: object) -> None:
    assert not is_missing(value)
