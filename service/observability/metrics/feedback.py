"""The metrics of feedback: how much came, and how often the predictions were right."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter


class FeedbackMetrics:
    """The metrics of feedback in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pieces = Counter(
            "valence_feedback",
            "Pieces of feedback stored, by the version that predicted: right, wrong, or unknown.",
            ("model", "version", "outcome"),
            registry=registry,
        )

    def count(self, pieces: Iterable[tuple[str, str, bool | None]]) -> None:
        """Count ``pieces``: model, version, and whether the prediction was right, if it is known.

        A truth that is corrected counts twice; the database has it once.
        """
        for (model, version, correct), number in Counts(pieces).items():
            outcome = "unknown" if correct is None else "right" if correct else "wrong"
            self._pieces.labels(model, version, outcome).inc(number)
