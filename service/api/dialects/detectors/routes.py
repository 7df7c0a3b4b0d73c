"""The dialect of detectors: ``POST /api/v1/text/contents``.

The guardrails orchestrator of the Foundation Model Stack, TrustyAI and LiteLLM call detectors by
it. A detector answers each text with its detections: the labels whose scores reach a threshold,
but for those that are safe.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import pydantic_core
from valence.service.api.dialects.detectors.schemas import (
    ContentsRequest,
    ContentsResponse,
    DetectorError,
)
from valence.service.api.dialects.detectors.thresholds import Rule, make_rule
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    TURN_TEXTS,
    describe_version,
    find_scorer,
    require_within_limits,
    score_texts,
    to_json,
)
from valence.service.errors import InvalidRequest, UnknownModel
from valence.service.inference.request_cost import LARGE_ANSWER
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer

PATHS = "/api/v1/text/"
"""What the paths of all kinds of detectors begin with."""
_TASKS = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
}
# an upper bound of the bytes of a detection, without its text and its label
_DETECTION_BYTES = 192


async def detect(context: Context, request: Request) -> Outcome:
    """Answer ``POST /api/v1/text/contents``."""
    name = _name_model(request)
    if name:
        # the model may be another than the default
        request.body.require_room = None
    body = await request.json(ContentsRequest)
    texts = body.contents
    require_within_limits(texts, context.settings, field="contents")
    try:
        scorer = find_scorer(context, request, name)
    except UnknownModel as error:
        raise UnknownModel(
            f"{error}; the id of a detector, in the header detector-id, is the name of a model"
        ) from None
    rule = make_rule(body.detector_params, scorer, context.settings.safe_labels)
    _require_small_answer(context, request, texts, rule, scorer)
    scored = await score_texts(context, request, ScoreRequest(texts), scorer)
    labels, task = scorer.manifest.labels, _TASKS[scorer.manifest.task]
    answer: list[list[dict[str, Any]]] = []
    for text, prediction in zip(texts, scored.predictions, strict=True):
        found = [
            (score, label)
            for score, label, threshold in zip(
                prediction.probabilities, labels, rule.thresholds, strict=True
            )
            if threshold is not None and score >= threshold
        ]
        found.sort(key=lambda pair: -pair[0])
        answer.append(
            [
                {
                    "start": 0,
                    "end": len(text),
                    "text": text,
                    "detection": task,
                    "detection_type": label,
                    "score": score,
                }
                for score, label in found
            ]
        )
        if not len(answer) % TURN_TEXTS:
            await asyncio.sleep(0)
    response = Response(await to_json(answer), headers=(describe_version(scorer),))
    return Outcome.of(response, scorer, scored)


def _name_model(request: Request) -> str | None:
    """The model that a request names by the id of its detector, or None for the default model.

    LiteLLM writes the id into the query, and once more at each request of a client, with another
    question mark before it.
    """
    given = request.headers.get(b"detector-id")
    if given:
        return given.decode("latin-1")
    for name, value in parse_qsl(request.query_string.decode("latin-1")):
        if name == "detector_id":
            return value.partition("?")[0]
    return None


def _require_small_answer(
    context: Context, request: Request, texts: list[str], rule: Rule, scorer: Scorer
) -> None:
    """Raise :class:`InvalidRequest` if the answer, which repeats the texts, could be too large."""
    most = rule.most_detections(exclusive=scorer.manifest.task == "single_label")
    longest = max(len(pydantic_core.to_json(label)) for label in scorer.manifest.labels)
    size = most * sum(
        len(pydantic_core.to_json(text)) + longest + _DETECTION_BYTES for text in texts
    )
    limit = context.settings.max_answer_bytes
    if size > limit:
        raise InvalidRequest.for_field(
            "contents",
            f"the answer has a text once for each of its detections, up to {size} bytes, and an "
            f"answer may have {limit} (max_answer_bytes); send fewer texts, or higher thresholds",
        )
    if size > LARGE_ANSWER:
        request.body.hold(size)


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape that the orchestrator reads."""
    status = problem.kind.status
    return Response(
        pydantic_core.to_json({"code": status, "message": problem.detail}),
        status=status,
        headers=problem.headers,
    )


_TEXT = "I love this little thing!"
ROUTES = (
    Route(
        method="POST",
        path=f"{PATHS}contents",
        handler=detect,
        refuse=refuse,
        operation=Operation(
            summary="Detect labels as a detector of guardrails does",
            description="Returns the detections of each text: the labels whose scores reach their "
            "thresholds, but for the safe ones. The header `detector-id` names the model, as "
            "`name`, `name:version` or `name@alias`; so does `detector_id` in the query. Without "
            "both the default model answers.",
            tag="detectors",
            request=ContentsRequest,
            request_examples={
                "two texts": {
                    "contents": [_TEXT, "It broke."],
                    "detector_params": {"threshold": 0.9, "safe_labels": ["neutral"]},
                },
            },
            response=ContentsResponse,
            response_examples={
                "two texts": [
                    [
                        {
                            "start": 0,
                            "end": 25,
                            "text": _TEXT,
                            "detection": "single_label_classification",
                            "detection_type": "positive",
                            "score": 0.9375,
                        }
                    ],
                    [],
                ]
            },
            errors=SCORING_ERRORS,
            error=DetectorError,
        ),
    ),
)
