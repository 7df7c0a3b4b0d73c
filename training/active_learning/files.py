"""The queue as files: CSV for a person or the labelling page, tasks for Label Studio."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from valence.service.annotation.choices import describe_prediction, make_control
from valence.service.classifier.manifest import Manifest
from valence.training.active_learning.queue import Entry

COLUMNS = ("text", "label", "predicted", "score", "worth", "reason")
"""``label`` is empty, to be filled in; `valence train` reads ``text`` and ``label``."""
SEPARATOR = "|"
"""Between the labels of a text, as `valence train` splits them."""
_DIGITS = 4


def format_csv(entries: Sequence[Entry]) -> str:
    """The queue as CSV, with :data:`COLUMNS`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        score = max(entry.prediction.probabilities)
        writer.writerow(
            (
                entry.text,
                "",
                SEPARATOR.join(entry.prediction.labels),
                round(score, _DIGITS),
                round(entry.worth, _DIGITS),
                entry.reason,
            )
        )
    return file.getvalue()


def format_tasks(entries: Sequence[Entry], manifest: Manifest) -> str:
    """The queue as tasks of Label Studio in JSON, each with the prediction of the model."""
    control = make_control(manifest)
    version = f"{manifest.name}:{manifest.version}"
    tasks = [
        {
            "data": {
                "text": entry.text,
                "worth": round(entry.worth, _DIGITS),
                "reason": entry.reason,
            },
            "predictions": [describe_prediction(control, entry.prediction, version=version)],
        }
        for entry in entries
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"
