"""Files whose encoding could not be told for certain."""

from __future__ import annotations

from service.encodings import Encoding
from training.checks.finding import Finding
from training.corpora import Loaded


def guessed(loaded: Loaded) -> list[Finding]:
    """A finding for each file that was read in an encoding that others fit as well."""
    total = len(loaded.examples)
    return [
        Finding(
            check="encoding",
            severity="warning",
            count=record.texts,
            share=min(1.0, record.texts / total) if total else 0.0,
            message=Encoding(record.encoding, guessed=True).doubt(f"texts of {record.name} are"),
        )
        for record in loaded.records
        if record.encoding is not None and record.encoding_guessed
    ]
