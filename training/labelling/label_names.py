"""The labels that a user names, each with a description if there is one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ConfigurationError


class NamedLabel(NamedTuple):
    """A label, and the words that an encoder reads for it."""

    name: str
    description: str


def read_labels(given: str) -> tuple[NamedLabel, ...]:
    """Names that commas separate, or the lines of the file of that name; two labels at least.

    ``refund: wants the money back`` is a name with a description. Raises
    :class:`ConfigurationError` for fewer than two labels and for a label that is there twice.
    """
    path = Path(given)
    parts = path.read_text(encoding="utf-8").splitlines() if path.is_file() else given.split(",")
    labels = []
    for part in parts:
        name, _, description = (piece.strip() for piece in part.partition(":"))
        if name:
            labels.append(NamedLabel(name, description or name.replace("_", " ")))
    names = [label.name for label in labels]
    if len(names) < 2:
        raise ConfigurationError(
            f"--labels {given!r}: give two labels or more, with commas between them, or a file "
            "with one label a line"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"--labels: {twice!r} is there twice; name each label once")
    return tuple(labels)
