"""The result of one text, the same in HTTP answers, in files and on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from valence.service.classifier.classifier import Prediction, Usage

UNCERTAIN = "uncertain"
"""The label of a text without a likely enough label; its ``labels`` are empty then."""


def format_judgement(
    labels: Sequence[str],
    prediction: Prediction,
    *,
    top_k: int = 0,
    min_confidence: float = 0.0,
) -> dict[str, Any]:
    """Label, ranked scores and polarity as values for JSON.

    ``labels`` are in the order of the probabilities. ``top_k`` is the number of scores; 0 means
    all. If no score reaches ``min_confidence``, the label is :data:`UNCERTAIN`, and the scores
    stay.
    """
    label, probabilities, polarity, given_labels = prediction
    # sorting is stable, so ties keep the order of the labels, as in the choice of the label
    ranked = sorted(range(len(labels)), key=probabilities.__getitem__, reverse=True)
    certain = probabilities[ranked[0]] >= min_confidence
    return {
        "label": label if certain else UNCERTAIN,
        "labels": list(given_labels) if certain else [],
        "scores": [
            {"label": labels[index], "score": probabilities[index]}
            for index in (ranked[:top_k] if top_k else ranked)
        ],
        "polarity": polarity,
    }


def format_result(
    labels: Sequence[str],
    prediction: Prediction,
    usage: Usage,
    *,
    top_k: int = 0,
    min_confidence: float = 0.0,
) -> dict[str, Any]:
    """The :func:`judgement` and the usage of a text."""
    formatted = format_judgement(labels, prediction, top_k=top_k, min_confidence=min_confidence)
    formatted["usage"] = {
        "characters": usage.characters,
        "tokens": usage.tokens,
        "tokens_used": usage.tokens_used,
        "unknown_tokens": usage.unknown_tokens,
        "truncated": usage.truncated,
        "windows": usage.windows,
    }
    return formatted
