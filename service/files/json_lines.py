"""Rows of JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from valence.service.files.lines import TOO_LONG
from valence.service.files.table import Row, Table


def read_json_lines(table: Table, lines: Iterator[str | None], origin: str) -> Iterator[Row]:
    """The rows of ``lines``, whose numbers count from ``origin``.

    Raises :class:`ConfigurationError` for an object without a column of ``table``.
    """
    for number, line in enumerate(lines, 1):
        place = f"line {number}{origin}"
        if line is None:
            yield Row({}, place, TOO_LONG)
            continue
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            yield Row({}, place, f"not JSON ({reason}); a line must be one object")
            continue
        if not isinstance(values, dict):
            yield Row({}, place, f"a {type(values).__name__}, not an object")
        elif table.wanted is None:
            yield Row(values, place, size=len(line))
        else:
            if any(name not in values for name in table.wanted):
                table.choose_columns(list(values), place)
            shown = {name: values[name] for name in table.wanted}
            yield Row(shown, place, size=len(line))
