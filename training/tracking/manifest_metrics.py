"""The metrics of a manifest that trackers log."""

from __future__ import annotations

import re

from valence.service.classifier.manifest import Manifest

SPLIT_METRICS = ("accuracy", "micro_f1", "macro_f1", "macro_recall", "ece", "brier", "log_loss")
_NOT_IN_NAMES = re.compile(r"[^a-z]+")


def select_split_metrics(manifest: Manifest, split: str) -> dict[str, float]:
    """Those of :data:`SPLIT_METRICS` that the manifest holds for ``split``."""
    metrics = manifest.metrics[split]
    if not isinstance(metrics, dict):
        return {}
    return {key: value for key in SPLIT_METRICS if isinstance(value := metrics.get(key), float)}


def select_pass_rates(manifest: Manifest) -> dict[str, float]:
    """The pass rates of the behavioural tests, under names that every tracker accepts."""
    return {
        f"behaviour/{_NOT_IN_NAMES.sub('_', name)}": record.rate
        for name, record in manifest.behaviour.items()
    }
