"""Which labels of a text are detections."""

from __future__ import annotations

from typing import NamedTuple

from valence.service.api.dialects.detectors.schemas import DEFAULT_THRESHOLD, DetectorParameters
from valence.service.errors import InvalidRequest
from valence.service.inference.scorer import Scorer

_SHOWN_CHARACTERS = 64


class Rule(NamedTuple):
    """The threshold of each label, in the order of the labels; None for a safe one."""

    thresholds: tuple[float | None, ...]

    def most_detections(self, *, exclusive: bool) -> int:
        """How many labels of one text can be detections; ``exclusive`` scores sum to 1."""
        unsafe = sorted(threshold for threshold in self.thresholds if threshold is not None)
        if not exclusive:
            return len(unsafe)
        # rounding: the sum may be a little more than 1
        total, most = 0.0, 0
        for threshold in unsafe:
            total += threshold
            most += total <= 1 + 1e-6
        return most


def make_rule(parameters: DetectorParameters, scorer: Scorer, safe_labels: tuple[str, ...]) -> Rule:
    """What counts as a detection of ``scorer``; raises :class:`InvalidRequest`."""
    manifest = scorer.manifest
    labels = manifest.labels
    field = "detector_params"
    length = parameters.max_length
    if length is not None and length < manifest.max_tokens:
        raise InvalidRequest.for_field(
            f"{field}.max_length",
            f"{length}, but {scorer.name!r} always reads {manifest.max_tokens} tokens; leave the "
            "field out",
        )
    given = parameters.safe_labels
    safe = {
        _find_label(label, scorer, field=f"{field}.safe_labels")
        for label in (given if isinstance(given, list) else [given])
    }
    single = {
        _find_label(label, scorer, field=f"{field}.label_thresholds"): threshold
        for label, threshold in parameters.label_thresholds.items()
    }
    own = manifest.thresholds

    def choose(label: str) -> float | None:
        if label in safe or label in safe_labels:
            return None
        if label in single:
            return single[label]
        if parameters.threshold is not None:
            return parameters.threshold
        return own.get(label, DEFAULT_THRESHOLD)

    return Rule(tuple(map(choose, labels)))


def _find_label(label: str | int, scorer: Scorer, *, field: str) -> str:
    """The label of that name or number; raises :class:`InvalidRequest`."""
    labels = scorer.manifest.labels
    if isinstance(label, int):
        if 0 <= label < len(labels):
            return labels[label]
        raise InvalidRequest.for_field(
            field, f"{label}, but {scorer.name!r} has the labels 0 to {len(labels) - 1}"
        )
    if label in labels:
        return label
    raise InvalidRequest.for_field(
        field,
        f"{label[:_SHOWN_CHARACTERS]!r} is not a label of {scorer.name!r}; "
        f"GET /v1/models/{scorer.name} lists the labels",
    )
