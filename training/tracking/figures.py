"""The figures and settings that trackers are told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue
from valence.service.classifier.manifest import Manifest

FINAL = ("accuracy", "micro_f1", "macro_f1", "macro_recall", "ece", "brier", "log_loss")
_NOT_IN_NAMES = re.compile(r"[^a-z]+")


def of_split(manifest: Manifest, split: str) -> dict[str, float]:
    """Those of :data:`FINAL` that the manifest has of ``split``."""
    metrics = manifest.metrics[split]
    if not isinstance(metrics, dict):
        return {}
    return {key: value for key in FINAL if isinstance(value := metrics.get(key), float)}


def behaviour(manifest: Manifest) -> dict[str, float]:
    """The pass rates of behaviour tests, by names that every tracker takes."""
    return {
        f"behaviour/{_NOT_IN_NAMES.sub('_', name)}": one.rate
        for name, one in manifest.behaviour.items()
    }


def flat(content: Mapping[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested configuration as ``section.key`` and value."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", str(value)
