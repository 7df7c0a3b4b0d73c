"""The dialect of detectors: ``POST /api/v1/text/contents``.

The guardrails orchestrator of the Foundation Model Stack, TrustyAI and LiteLLM call detectors by
it. A detector answers each text with its detections: the labels whose scores reach a threshold,
but for those that are safe.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qsl

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictInt, StrictStr
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
_THRESHOLD = 0.5
_TASKS = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
}
# an upper bound of the bytes of a detection, without its text and its label
_DETECTION_BYTES = 192
_SHOWN_CHARACTERS = 64

Threshold = Annotated[float, Field(ge=0, le=1, strict=True)]
Label = StrictStr | StrictInt


class DetectorParameters(BaseModel):
    """Which labels of a text are detections."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: Threshold | None = Field(
        default=None,
        description="The lowest score of a detection. Absent: of a multi-label model the label's "
        f"own threshold, otherwise {_THRESHOLD}.",
    )
    label_thresholds: dict[str, Threshold] = Field(
        default={}, description="The lowest scores of single labels, instead of `threshold`."
    )
    safe_labels: Label | list[Label] = Field(
        default=[],
        description="Labels that are no detections, by name or by number, beside those of "
        "`VALENCE_SAFE_LABELS`.",
    )
    max_length: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None,
        description="At least the number of tokens that the model reads; the model never reads "
        "fewer.",
    )


class ContentsRequest(BaseModel):
    """Texts, and what counts as a detection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contents: Annotated[list[str], Field(min_length=1)] = Field(description="The texts.")
    detector_params: DetectorParameters = Field(
        default=DetectorParameters(), description="Absent: a label with a score of 0.5 or more."
    )


class Detection(BaseModel):
    """A label of a whole text."""

    start: Annotated[int, Field(description="Always 0: the model labels the whole text.")]
    end: Annotated[int, Field(description="Number of Unicode code points of the text.")]
    text: str
    detection: Annotated[
        Literal["single_label_classification", "multi_label_classification"],
        Field(description="The task of the model."),
    ]
    detection_type: Annotated[str, Field(description="The label.")]
    score: Annotated[float, Field(ge=0, le=1, description="The calibrated probability.")]


class ContentsResponse(RootModel[list[list[Detection]]]):
    """The detections of each text, likeliest first, in the order of the texts."""


class DetectorError(BaseModel):
    """An error in the shape that the orchestrator reads."""

    code: int
    message: str


class _Rule(NamedTuple):
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
    rule = _make_rule(body.detector_params, scorer, context.settings.safe_labels)
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


def _make_rule(
    parameters: DetectorParameters, scorer: Scorer, safe_labels: tuple[str, ...]
) -> _Rule:
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
        return own.get(label, _THRESHOLD)

    return _Rule(tuple(map(choose, labels)))


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


def _require_small_answer(
    context: Context, request: Request, texts: list[str], rule: _Rule, scorer: Scorer
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
