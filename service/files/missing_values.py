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


def read_text(value: object) -> str | None:
    """The text in a cell, which may be bytes of UTF-8; None if the cell has something else.

    A missing text is an empty one, as it is in CSV: training leaves it out, scoring says so.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, str) else None
