"""What is said about one text: the same in an answer over HTTP, in a file and on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from valence.service.classifier.classifier import Prediction, Usage

UNCERTAIN = "uncertain"
"""The label of a text that no label is likely enough for; its ``labels`` are empty then."""


def format_judgement(
    labels: Sequence[str],
    prediction: Prediction,
    *,
    top_k: int = 0,
    min_confidence: float = 0.0,
) -> dict[str, Any]:
    """Label, ranked scores and polarity, as JSON has them.

    ``labels`` are in the order of the probabilities. With ``top_k`` only as many scores are kept;
    below ``min_confidence`` the label is :data:`UNCERTAIN`, and the scores stay.
    """
    label, probabilities, polarity, given = prediction
    # reversed, a tie still keeps the order of the labels, as the predicted label does
    ranked = sorted(range(len(labels)), key=probabilities.__getitem__, reverse=True)
    certain = probabilities[ranked[0]] >= min_confidence
    return {
        "label": label if certain else UNCERTAIN,
        "labels": list(given) if certain else [],
        "scores": [
            {"label": labels[place], "score": probabilities[place]}
            for place in (ranked[:top_k] if top_k else ranked)
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
    """The :func:`judgement` of a text, and what was read of it."""
    shaped = format_judgement(labels, prediction, top_k=top_k, min_confidence=min_confidence)
    shaped["usage"] = {
        "characters": usage.characters,
        "tokens": usage.tokens,
        "tokens_used": usage.tokens_used,
        "unknown_tokens": usage.unknown_tokens,
        "truncated": usage.truncated,
        "windows": usage.windows,
    }
    return shaped
