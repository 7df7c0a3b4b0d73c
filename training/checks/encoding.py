"""Check for files whose encoding is a guess."""

from __future__ import annotations

from valence.training.checks.finding import Finding
from valence.training.corpora.catalog import Loaded
from valence.training.corpora.files import encoding_warning


def find_guessed_encodings(loaded: Loaded) -> list[Finding]:
    """A finding for each file that several encodings fit."""
    total = len(loaded.examples)
    return [
        Finding(
            check="encoding",
            severity="warning",
            count=record.texts,
            share=min(1.0, record.texts / total) if total else 0.0,
            message=message,
        )
        for record in loaded.records
        if (message := encoding_warning(record))
    ]
