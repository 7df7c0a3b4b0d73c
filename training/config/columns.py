"""Which columns of a labelled file are read, and how."""

from __future__ import annotations

from dataclasses import dataclass

from valence.service.classifier.manifest import Task
from valence.service.files import dialects
from valence.service.files.encodings import AUTO


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of text and label in a file, and how both are read."""

    text: str
    label: str  # empty if the texts have no labels
    encoding: str = AUTO
    task: Task = "single_label"
    label_separator: str = "|"
    quoting: str = dialects.AUTO
