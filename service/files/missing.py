"""Which values of a table are missing: one rule for labels and texts of every format."""

from __future__ import annotations

import math
from decimal import Decimal


def is_missing(value: object) -> bool:
    """Whether ``value`` is null, or a number that is not finite, which stands for null.

    JSON Lines and Parquet have NaN and infinities, which data frames write for missing cells.
    """
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or (isinstance(value, Decimal) and not value.is_finite())
