"""What each model has done since the server started, read from the metrics of all workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

STAGES = ("tokenize", "queue", "infer")


@dataclass(slots=True)
class ModelTotals:
    """The requests, documents and batches of one model, and the seconds of each stage."""

    requests: int = 0
    documents: int = 0
    batches: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def sum_by_model(families: Iterable[Metric]) -> dict[tuple[str, str], ModelTotals]:
    """The totals in ``families``, by name and version of the model."""
    totals: dict[tuple[str, str], ModelTotals] = {}
    for family in families:
        for sample in family.samples:
            labels = sample.labels
            if not sample.name.endswith(("_sum", "_count")) or "version" not in labels:
                continue
            model = totals.setdefault((labels["model"], labels["version"]), ModelTotals())
            match sample.name:
                case "valence_stage_duration_seconds_sum":
                    model.seconds[labels["stage"]] += sample.value
                case "valence_stage_duration_seconds_count" if labels["stage"] == STAGES[0]:
                    model.requests += int(sample.value)
                case "valence_batch_items_sum":
                    model.documents += int(sample.value)
                case "valence_batch_items_count":
                    model.batches += int(sample.value)
    return totals
