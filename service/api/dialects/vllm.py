"""vLLM's dialect: ``POST /classify``, as LiteLLM and SGLang's clients speak it too."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator
from pydantic_core import PydanticCustomError
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import require_within_limits, score_texts, to_json
from valence.service.classifier.truncation import Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer

_NO_IDS = (
    "token ids are another vocabulary's; send the text itself, these models have their own words"
)
_ERROR_TYPES = {
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
    504: "TimeoutError",
}


class VllmRequest(BaseModel):
    """One text or several, and how to read long ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="VllmClassifyRequest")

    input: str | list[str] = Field(description="a text, or several")
    model: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="`name` or `name:version`; the default model if absent"
    )
    truncate_prompt_tokens: Annotated[int, Field(ge=-1, strict=True)] | None = Field(
        default=None,
        description="-1 cuts a text longer than the model reads; absent, it is an error",
    )
    truncation_side: Literal["left", "right"] | None = Field(
        default=None, description="the end of a long text that is cut off; right if absent"
    )
    use_activation: StrictBool | None = Field(
        default=None, description="false, which asks for outputs before calibration, is refused"
    )
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = Field(
        default=None, description="becomes part of the answer's id"
    )
    priority: Annotated[int, Field(strict=True)] = Field(
        default=0, description="only 0: the queue is fair to all"
    )
    user: str | None = Field(default=None, description="not used")

    @field_validator("input", mode="before")
    @classmethod
    def _texts(cls, given: object) -> object:
        items = given if isinstance(given, list) else [given]
        if not items:
            raise PydanticCustomError("input", "give at least one text")
        for item in items:
            if isinstance(item, int | list):
                raise PydanticCustomError("input", _NO_IDS)
            if not isinstance(item, str):
                raise PydanticCustomError("input", "give a string or a list of strings")
        return given


class Classified(BaseModel):
    """The answer for one text."""

    index: int
    label: str
    probs: Annotated[list[float], Field(description="in the order of the model's labels")]
    num_classes: int


class VllmUsage(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: None


class VllmResponse(BaseModel):
    """An answer for each text, in order."""

    model_config = ConfigDict(title="VllmClassifyResponse")

    id: str
    object: Literal["list"]
    created: Annotated[int, Field(description="seconds since 1970")]
    model: str
    data: list[Classified]
    usage: VllmUsage


class OpenAIErrorBody(BaseModel):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: int


class OpenAIError(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: OpenAIErrorBody


async def classify(context: Context, request: Request) -> Outcome:
    """Answer ``POST /classify``."""
    asked = await request.json(VllmRequest)
    if asked.use_activation is False:
        raise InvalidRequest.of(
            "use_activation", "only calibrated probabilities are given; leave it out"
        )
    if asked.priority:
        raise InvalidRequest.of("priority", "only 0; the queue is fair to all")
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    require_within_limits(texts, context.settings, field="input")
    truncation = _truncation(asked, context.models.get(asked.model))
    scorer, scored = await score_texts(
        context, request, ScoreRequest(texts, truncation=truncation), model=asked.model
    )
    labels = scorer.manifest.labels
    data = [
        {
            "index": index,
            "label": prediction.label,
            "probs": prediction.probabilities,
            "num_classes": len(labels),
        }
        for index, prediction in enumerate(scored.predictions)
    ]
    tokens = scored.usage.tokens_used
    content: dict[str, Any] = {
        "id": f"classify-{asked.request_id or uuid.uuid4().hex}",
        "object": "list",
        "created": seconds_since_1970(),
        "model": scorer.name,
        "data": data,
        "usage": {
            "prompt_tokens": tokens,
            "total_tokens": tokens,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
        },
    }
    return Outcome.of(Response(await to_json(content)), scorer, scored)


def seconds_since_1970() -> int:
    """When an answer is made."""
    return int(time.time())


def _truncation(asked: VllmRequest, scorer: Scorer) -> Truncation:
    most = asked.truncate_prompt_tokens
    if most is None:
        return "error"
    limit = scorer.manifest.max_tokens
    if most not in (-1, limit):
        raise InvalidRequest.of(
            "truncate_prompt_tokens",
            f"{most}, but {scorer.name!r} reads {limit} tokens, no fewer and no more; use -1",
        )
    return "tail" if asked.truncation_side == "left" else "head"


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` as OpenAI's clients read it."""
    status = problem.kind.status
    content = {
        "error": {
            "message": problem.detail,
            "type": _ERROR_TYPES.get(status, "BadRequestError"),
            "param": problem.faults[0][0] if problem.faults else None,
            "code": status,
        }
    }
    return Response(pydantic_core.to_json(content), status=status, headers=problem.headers)


ROUTES = (
    Route(
        method="POST",
        path="/classify",
        handler=classify,
        refuse=refuse,
        operation=Operation(
            summary="Classify, as vLLM does",
            description="Probabilities by the number of the class. A text longer than the model "
            "reads is an error unless `truncate_prompt_tokens` is -1.",
            tag="vllm",
            request=VllmRequest,
            request_examples={
                "one text": {"input": "I love this little thing!"},
                "several": {
                    "input": ["I love it.", "It broke."],
                    "model": "sentiment",
                    "truncate_prompt_tokens": -1,
                },
            },
            response=VllmResponse,
            response_examples={
                "one text": {
                    "id": "classify-4f1c",
                    "object": "list",
                    "created": 1745383213,
                    "model": "sentiment",
                    "data": [
                        {
                            "index": 0,
                            "label": "positive",
                            "probs": [0.015625, 0.046875, 0.9375],
                            "num_classes": 3,
                        }
                    ],
                    "usage": {
                        "prompt_tokens": 6,
                        "total_tokens": 6,
                        "completion_tokens": 0,
                        "prompt_tokens_details": None,
                    },
                }
            },
            errors=SCORING_ERRORS,
            error=OpenAIError,
        ),
    ),
)
