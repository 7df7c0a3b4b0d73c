"""Rows of fastText: a line has words ``__label__NAME`` and the other words of its text.

The columns are ``text`` and ``label``; the label of a line with several is their list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from valence.service.files.lines import TOO_LONG
from valence.service.files.table import Row, Table
from valence.service.files.text import Text

COLUMNS = ("text", "label")
_LABEL = re.compile(r"(?<!\S)__label__(\S+)\s*")


def read_fasttext(table: Table, text: Text) -> Iterator[Row]:
    """The rows of ``text``. Raises :class:`ConfigurationError` for columns of other names."""
    columns = table.choose_columns(COLUMNS)
    for number, line in enumerate(text.read_lines(text.find_line_end()), 1):
        place = f"line {number}"
        if line is None:
            yield Row({}, place, TOO_LONG)
        elif line.strip():
            labels = _LABEL.findall(line)
            values = {
                "text": _LABEL.sub("", line).strip(),
                "label": labels if len(labels) > 1 else labels[0] if labels else None,
            }
            damage = text.find_damage(line)
            shown = {} if damage else {name: values[name] for name in columns}
            yield Row(shown, place, damage, len(line))
