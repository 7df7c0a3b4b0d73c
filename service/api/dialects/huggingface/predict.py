"""Answers to ``POST /predict``, which SageMaker's dialect shares.

Answers have two shapes. text-embeddings-inference (TEI) answers one text with a flat list of labels
and a batch with a list of such lists. ``huggingface_hub.InferenceClient`` and hf.js always expect a
list of lists, and always send ``parameters``. So the presence of ``parameters`` decides.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from valence.service.api.dialects.huggingface.schemas import PredictParameters, PredictRequest
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context
from valence.service.api.http.scoring import (
    TURN_TEXTS,
    describe_version,
    find_scorer,
    require_within_limits,
    score_texts,
    to_json,
)
from valence.service.classifier.truncation import Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored, ScoreRequest
from valence.service.inference.scorer import Scorer

_FUNCTIONS = {"single_label": "softmax", "multi_label": "sigmoid"}


class Predicted(NamedTuple):
    """The answer to a request of /predict, before it is written."""

    scorer: Scorer
    scored: Scored
    rows: list[Any]
    """The labels of each text with their scores, likeliest first."""
    is_flat: bool
    """Whether the answer is the only row alone."""


async def predict(context: Context, request: Request) -> Outcome:
    """Answer ``POST /predict``, ``POST /`` and ``POST /models/{name}``."""
    started = time.perf_counter()
    scorer, scored, rows, is_flat = await score_inputs(context, request)
    response = Response(
        await to_json(rows[0] if is_flat else rows),
        headers=build_compute_headers(scorer, scored, seconds=time.perf_counter() - started),
    )
    return Outcome.of(response, scorer, scored)


async def score_inputs(context: Context, request: Request) -> Predicted:
    """The scores of the texts of a JSON body."""
    body = await request.json(PredictRequest)
    inputs = body.inputs
    texts = [inputs] if isinstance(inputs, str) else [text for (text,) in inputs]
    parameters = body.parameters or PredictParameters()
    scorer = find_scorer(context, request, request.parameters.get("name"))
    _require_calibrated(body, parameters, scorer)
    require_within_limits(texts, context.settings, field="inputs")
    asked = ScoreRequest(texts, truncation=_choose_truncation(body, parameters))
    scored = await score_texts(context, request, asked, scorer)
    rows = await rank_labels(scorer, scored, top_k=parameters.top_k)
    return Predicted(scorer, scored, rows, isinstance(inputs, str) and body.parameters is None)


async def rank_labels(
    scorer: Scorer, scored: Scored, *, top_k: int | None = None
) -> list[list[dict[str, Any]]]:
    """Labels and scores of each text, likeliest first; ties keep the order of the labels."""
    labels = scorer.manifest.labels
    rows = []
    for prediction in scored.predictions:
        probabilities = prediction.probabilities
        ranked = sorted(range(len(labels)), key=probabilities.__getitem__, reverse=True)
        rows.append(
            [{"score": probabilities[index], "label": labels[index]} for index in ranked[:top_k]]
        )
        if not len(rows) % TURN_TEXTS:
            await asyncio.sleep(0)
    return rows


def build_compute_headers(
    scorer: Scorer, scored: Scored, *, seconds: float
) -> tuple[tuple[bytes, bytes], ...]:
    """Headers of TEI about the computation; the times are whole milliseconds."""
    milliseconds = b"%d" % round(seconds * 1000)
    return (
        (b"x-compute-type", b"gpu" if scorer.engine.name.startswith("cuda") else b"cpu"),
        (b"x-compute-time", milliseconds),
        (b"x-total-time", milliseconds),
        (b"x-compute-characters", b"%d" % scored.usage.characters),
        (b"x-compute-tokens", b"%d" % scored.usage.tokens_used),
        describe_version(scorer),
    )


def _choose_truncation(body: PredictRequest, parameters: PredictParameters) -> Truncation:
    truncate = body.truncate if body.truncate is not None else parameters.truncation
    if truncate is False:
        return "error"
    return "tail" if body.truncation_direction in ("Left", "left") else "head"


def _require_calibrated(
    body: PredictRequest, parameters: PredictParameters, scorer: Scorer
) -> None:
    """Raise :class:`InvalidRequest` for other scores than the calibrated ones."""
    function = _FUNCTIONS[scorer.manifest.task]
    if body.raw_scores:
        raise InvalidRequest.for_field(
            "raw_scores",
            f"this service returns only calibrated {function} scores; leave raw_scores out",
        )
    if parameters.function_to_apply not in (None, function):
        raise InvalidRequest.for_field(
            "parameters.function_to_apply",
            f"the scores of {scorer.name!r} are calibrated for {function}; use {function} or leave "
            "the field out",
        )
