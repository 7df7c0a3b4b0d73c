"""The names of labels: their order, and names that people read as the same name."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 10
_APOSTROPHES = str.maketrans({"\u2018": "'", "\u2019": "'"})
# What spreadsheets and data frames write for a value that is not there.
_MISSING = frozenset({"nan", "null", "<na>", "nat", "#n/a", "inf", "-inf", "infinity", "-infinity"})


def sort_labels(labels: Iterable[str]) -> list[str]:
    """The labels in their order: numbers by their value if all labels are numbers, else by name.

    The order is total: numbers of one value, such as 1 and 01, are in the order of their names.
    """
    names = sorted(set(labels))
    values = {name: parse_number(name) for name in names}
    if None in values.values():
        return names
    return sorted(names, key=lambda name: (values[name], name))


def parse_number(name: str) -> float | None:
    """The finite number that ``name`` is; None for another name."""
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def fold_label(name: str) -> str:
    """What a reader sees of ``name``: without case, hidden characters and the form of a number."""
    visible = "".join(
        "-" if unicodedata.category(character) == "Pd" else character
        for character in unicodedata.normalize("NFKC", name).translate(_APOSTROPHES)
        if unicodedata.category(character) != "Cf" and character != "\ufe0f"
    )
    folded = " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())
    number = parse_number(folded)
    return folded if number is None else repr(number)


def name_missing_value(name: str) -> bool:
    """Whether ``name`` is the usual name of a missing value."""
    return name.casefold() in _MISSING


def show_labels(labels: Sequence[str], counts: Mapping[str, int] | None = None) -> str:
    """The first of ``labels`` in quotes for a message, with their ``counts``.

    Names that look the same are shown by the codes of their characters.
    """
    shown = labels[:_SHOWN]
    names = [repr(label) for label in shown]
    if len({unicodedata.normalize("NFC", name) for name in names}) < len(names):
        names = [ascii(label) for label in shown]
    if counts is not None:
        names = [f"{name} ({counts[label]:,})" for name, label in zip(names, shown, strict=True)]
    return ", ".join(names) + (", …" if len(labels) > _SHOWN else "")
