"""The rules for the labels of a classifier, and for what is given for each label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from valence.service.classifier.architecture import MAX_LABELS

MAX_LABEL_CHARACTERS = 1_000
_MAX_CHARACTERS_SHOWN = 40
_MAX_LABELS_SHOWN = 10


def check_labels(labels: Sequence[str], polarity: Mapping[str, float] | None) -> None:
    """Raise ``ValueError`` for labels that are empty, too long, too many or alike.

    ``polarity``, if any, must have a value for exactly these labels.
    """
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels):,} labels, a model may have {MAX_LABELS:,}")
    for number, label in enumerate(labels, 1):
        if not label.strip():
            raise ValueError(f"label {number} is empty; give it a name")
        if len(label) > MAX_LABEL_CHARACTERS:
            raise ValueError(
                f"label {number} has {len(label):,} characters, a label may have "
                f"{MAX_LABEL_CHARACTERS:,}"
            )
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels {_list(labels)} have a label twice")
    if polarity is None:
        return
    if set(polarity) != set(labels):
        raise ValueError(
            f"polarity has values for {_list(polarity)}, but the labels are {_list(labels)}"
        )
    for label, value in polarity.items():
        if abs(value) > 1:
            raise ValueError(f"the polarity {value} of {_shorten(label)} must lie in [-1, 1]")


def check_task(
    task: str,
    labels: Sequence[str],
    polarity: Mapping[str, float] | None,
    thresholds: Mapping[str, float],
) -> None:
    """Raise ``ValueError`` unless a ``multi_label`` task has a threshold for each of ``labels``.

    It has no ``polarity``; a ``single_label`` task has no thresholds.
    """
    if task == "single_label":
        if thresholds:
            raise ValueError(f"thresholds {_list(thresholds)} are only for multi_label models")
        return
    if polarity is not None:
        raise ValueError(
            "polarity requires a single_label model: it is a mean over exclusive labels"
        )
    if set(thresholds) != set(labels):
        raise ValueError(
            f"thresholds has values for {_list(thresholds)}, but the labels are {_list(labels)}"
        )
    for label, value in thresholds.items():
        if not 0 < value <= 1:
            raise ValueError(f"the threshold {value} of {_shorten(label)} must lie in (0, 1]")


def _list(names: Collection[str]) -> str:
    """The first names for an error: a damaged file may have many."""
    shown = ", ".join(map(_shorten, islice(names, _MAX_LABELS_SHOWN)))
    more = len(names) - _MAX_LABELS_SHOWN
    return f"[{shown}]" if more <= 0 else f"[{shown} and {more:,} more]"


def _shorten(name: str) -> str:
    """A name for an error, cut: a damaged file may have long ones."""
    cut = len(name) > _MAX_CHARACTERS_SHOWN
    return repr(f"{name[:_MAX_CHARACTERS_SHOWN]}…" if cut else name)
