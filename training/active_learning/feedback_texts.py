"""Labelled texts out of the feedback database, as a file to train on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.feedback.record import Record
from valence.service.files.atomic_write import replace_file


def write_texts(
    records: Sequence[Record], folder: Path, *, text: str, label: str
) -> tuple[str, Path]:
    """Write the texts of ``records`` with their true labels; the name of the model, and the file.

    The columns are called ``text`` and ``label``. Raises :class:`ConfigurationError` for feedback
    of several models, and if no text is kept.
    """
    kept = [record for record in records if record.text]
    models = sorted({record.model for record in kept})
    if len(models) > 1:
        raise ConfigurationError(
            f"the feedback database has texts of {', '.join(models)}; name one of them with --name"
        )
    if not kept:
        raise ConfigurationError(
            f"the feedback database keeps no text of this model, and {len(records):,} labels "
            "without one; feedback has texts if the service runs with VALENCE_FEEDBACK_TEXT=true "
            "and clients send them"
        )
    path = folder / f"{models[0]}.jsonl"
    several = any(len(record.truth) != 1 for record in kept)
    with replace_file(path) as chosen, chosen.open("w", encoding="utf-8") as file:
        # texts of users: for the owner alone
        chosen.chmod(0o600)
        for record in kept:
            row = {text: record.text, label: _name_labels(record, several=several)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return models[0], path


def _name_labels(record: Record, *, several: bool) -> str | list[str]:
    return list(record.truth) if several else record.truth[0]
