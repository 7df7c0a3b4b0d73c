"""The dialect of vLLM: ``POST /classify``. Clients of LiteLLM and SGLang use it too.

vLLM's semantic-router calls the same path with one text as ``inputs``. It reads a flat list of all
labels with their scores, and takes the answer only if each of its labels is there once and the
scores sum to 1.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal, Self

import pydantic_core
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    StrictBool,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from valence.service.api.dialects.huggingface.predict import rank_labels
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    describe_version,
    find_scorer,
    issue_id,
    require_within_limits,
    score_texts,
    to_json,
)
from valence.service.classifier.truncation import Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored, ScoreRequest
from valence.service.inference.scorer import Scorer

_NO_IDS = (
    "token ids belong to another vocabulary; send the text, these models have their own tokenizer"
)
_CALIBRATED = "this service returns only calibrated probabilities; leave {} out"
# fields of vLLM, their values that change nothing here, and why other values are refused
_SAME_ANSWER: tuple[tuple[str, tuple[object, ...], str], ...] = (
    *(
        (name, (True,), _CALIBRATED.format(name))
        for name in ("use_activation", "softmax", "activation")
    ),
    ("priority", (0,), "must be 0; all requests have the same priority"),
    ("encoding_format", ("float",), "must be float; probabilities are JSON numbers here"),
    ("padding", ("do_not_pad",), "must be do_not_pad; these models read a text without padding"),
    ("mm_processor_kwargs", ({},), "must be empty; these models read text alone"),
    ("cache_salt", (), "cached answers have no salt here; leave cache_salt out"),
)
_ERROR_TYPES = {
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
    504: "TimeoutError",
}


class VllmRequest(BaseModel):
    """One text or several, and the truncation of long texts.

    A request has exactly one of ``input`` and ``inputs``.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        title="VllmClassifyRequest",
        json_schema_extra={"oneOf": [{"required": ["input"]}, {"required": ["inputs"]}]},
    )

    input: str | list[str] | None = Field(default=None, description="One text, or a list of texts.")
    inputs: str | None = Field(
        default=None,
        description="One text, as vLLM's semantic-router sends it. The answer is a list of all "
        "labels with their scores, likeliest first, and a long text is cut.",
    )
    model: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None,
        description="The model, as `name`, `name:version` or `name@alias`. Absent: the default "
        "model.",
    )
    truncate_prompt_tokens: Annotated[int, Field(ge=-1, strict=True)] | None = Field(
        default=None,
        description="-1: a text longer than the model reads is cut. Absent: such a text is an "
        "error in `input`.",
    )
    truncation_side: Literal["left", "right"] | None = Field(
        default=None, description="The end of a long text that is cut off. Absent: right."
    )
    use_activation: StrictBool | None = Field(
        default=None, description="False, which means scores before calibration, is refused."
    )
    softmax: StrictBool | None = Field(
        default=None, description="An earlier name of `use_activation`."
    )
    activation: StrictBool | None = Field(
        default=None, description="An earlier name of `use_activation`."
    )
    add_special_tokens: StrictBool | None = Field(
        default=None, description="Not used: these models have no special tokens."
    )
    encoding_format: str | None = Field(
        default=None, description="Must be `float`: probabilities are JSON numbers."
    )
    padding: str | None = Field(default=None, description="Must be `do_not_pad`.")
    mm_processor_kwargs: dict[str, JsonValue] | None = Field(
        default=None, description="Must be empty: these models read text alone."
    )
    cache_salt: str | None = Field(
        default=None, description="Refused: cached answers do not have a salt."
    )
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = Field(
        default=None, description="Part of the id of the answer."
    )
    priority: Annotated[int, Field(strict=True)] = Field(
        default=0, description="Must be 0: all requests have the same priority."
    )
    user: str | None = Field(default=None, description="Not used.")

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

    @field_validator("inputs", mode="before")
    @classmethod
    def _text(cls, given: object) -> object:
        if isinstance(given, str):
            return given
        raise PydanticCustomError(
            "inputs", "give one text as a string; send several texts as `input`"
        )

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.input is None) is (self.inputs is None):
            raise PydanticCustomError("body", "give exactly one of input and inputs")
        return self


class Classified(BaseModel):
    """The result of one text."""

    index: int
    label: str
    probs: Annotated[
        list[float], Field(description="Probabilities in the order of the model's labels.")
    ]
    num_classes: int


class VllmUsage(BaseModel):
    """The number of tokens that the model read."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: None


class VllmResponse(BaseModel):
    """One result for each text, in order."""

    model_config = ConfigDict(title="VllmClassifyResponse")

    id: str
    object: Literal["list"]
    created: Annotated[int, Field(description="Seconds since 1970.")]
    model: str
    data: list[Classified]
    usage: VllmUsage


class RoutedLabel(BaseModel):
    """A label and its calibrated probability."""

    label: str
    score: Annotated[float, Field(ge=0, le=1)]


class ClassifyAnswer(RootModel[VllmResponse | list[RoutedLabel]]):
    """A result for each text of ``input``; or all labels of ``inputs``, likeliest first."""

    model_config = ConfigDict(title="VllmClassifyAnswer")


class OpenAIErrorBody(BaseModel):
    """What was wrong with the request."""

    message: str
    type: str
    param: str | None
    code: int


class OpenAIError(BaseModel):
    """An error in the shape that clients of OpenAI expect."""

    error: OpenAIErrorBody


async def classify(context: Context, request: Request) -> Outcome:
    """Answer ``POST /classify``."""
    body = await request.json(VllmRequest)
    _require_same_answer(body)
    texts, field = _read_texts(body)
    require_within_limits(texts, context.settings, field=field)
    scorer = find_scorer(context, request, body.model)
    if body.inputs is not None:
        _require_distribution(scorer)
    asked = ScoreRequest(texts, truncation=_choose_truncation(body, scorer))
    scored = await score_texts(context, request, asked, scorer)
    prediction_id = issue_id(context.issuer, scorer.name, scorer.version, scored.answers)
    content: Any
    if body.inputs is None:
        content = _describe_results(body, scorer, scored, prediction_id)
    else:
        (content,) = await rank_labels(scorer, scored)
    response = Response(await to_json(content), headers=(describe_version(scorer),))
    return Outcome.of(response, scorer, scored, prediction_id)


def _read_texts(body: VllmRequest) -> tuple[list[str], str]:
    """The texts of ``body``, and the field that has them."""
    if body.inputs is not None:
        return [body.inputs], "inputs"
    return [body.input] if isinstance(body.input, str) else body.input or [], "input"


def _require_distribution(scorer: Scorer) -> None:
    """Raise :class:`InvalidRequest` for a model whose scores do not sum to 1."""
    if scorer.manifest.task == "multi_label":
        raise InvalidRequest.for_field(
            "inputs",
            f"the caller of this field wants scores that sum to 1, and {scorer.name!r} gives a "
            "text several labels; send the text as `input`, or to POST /predict",
        )


def _describe_results(
    body: VllmRequest, scorer: Scorer, scored: Scored, prediction_id: str
) -> dict[str, Any]:
    """A :class:`VllmResponse` as plain values."""
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
    return {
        "id": f"classify-{body.request_id or prediction_id}",
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


def _require_same_answer(body: VllmRequest) -> None:
    """Raise :class:`InvalidRequest` for a field that asks for another answer than this one."""
    for field, values, reason in _SAME_ANSWER:
        value = getattr(body, field)
        if value is not None and value not in values:
            raise InvalidRequest.for_field(field, reason)


def seconds_since_1970() -> int:
    """The current time in seconds since 1970, rounded down."""
    return int(time.time())


def _choose_truncation(body: VllmRequest, scorer: Scorer) -> Truncation:
    tokens = body.truncate_prompt_tokens
    if tokens is None and body.inputs is None:
        return "error"
    limit = scorer.manifest.max_tokens
    if tokens not in (None, -1, limit):
        raise InvalidRequest.for_field(
            "truncate_prompt_tokens",
            f"{tokens}, but {scorer.name!r} always reads {limit} tokens; use -1",
        )
    return "tail" if body.truncation_side == "left" else "head"


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape that clients of OpenAI expect."""
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
            summary="Classify as vLLM does",
            description="Returns the probabilities of each text in the order of the labels. A text "
            "longer than the model reads is an error unless `truncate_prompt_tokens` is -1. One "
            "text as `inputs`, which vLLM's semantic-router sends, gets a list of all labels "
            "instead.",
            tag="vllm",
            request=VllmRequest,
            request_examples={
                "one text": {"input": "I love this little thing!"},
                "several": {
                    "input": ["I love it.", "It broke."],
                    "model": "sentiment",
                    "truncate_prompt_tokens": -1,
                },
                "as semantic-router": {"inputs": "I love this little thing!"},
            },
            response=ClassifyAnswer,
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
                },
                "as semantic-router": [
                    {"score": 0.9375, "label": "positive"},
                    {"score": 0.046875, "label": "neutral"},
                    {"score": 0.015625, "label": "negative"},
                ],
            },
            errors=SCORING_ERRORS,
            error=OpenAIError,
        ),
    ),
)
