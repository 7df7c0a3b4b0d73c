"""Hugging Face's dialect: text-embeddings-inference's ``/predict`` and what its clients send.

Two shapes of answer exist in the wild. text-embeddings-inference (TEI) answers one text with a flat
list of labels and a batch with a list of such lists; ``huggingface_hub.InferenceClient`` and hf.js
read a list of lists always, and always send ``parameters``. So ``parameters`` decides.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictBool, field_validator
from pydantic_core import PydanticCustomError
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Handler, Operation, Route
from valence.service.api.http.scoring import TURN_TEXTS, require_within_limits, score_texts, to_json
from valence.service.api.operations.health import ready
from valence.service.api.v1.examples import LIMITS
from valence.service.api.v1.models import Limits, limits
from valence.service.classifier.truncation import Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored, ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.version import VERSION

_PAIR = (
    "a list of strings is a pair (a text and its premise), which these models do not read; send a "
    'batch as [["first text"], ["second text"]]'
)
_FUNCTIONS = {"single_label": "softmax", "multi_label": "sigmoid"}
_ERROR_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Backend"}


class PredictParameters(BaseModel):
    """How to answer, as ``transformers`` names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="scores of only the k likeliest labels"
    )
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        default=None,
        description="what makes scores of the model's outputs; only the one it was calibrated "
        "with: softmax, or sigmoid for a multi-label model",
    )
    truncation: StrictBool | None = Field(
        default=None, description="as `truncate`, which goes before it"
    )


_One = Annotated[list[str], Field(min_length=1, max_length=1)]


class PredictRequest(BaseModel):
    """A text, or a batch of lists of one text each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: str | Annotated[list[_One], Field(min_length=1)] = Field(
        description='one text, or a batch: `[["first"], ["second"]]`'
    )
    parameters: PredictParameters | None = Field(
        default=None, description="if given, the answer is a list of lists for one text too"
    )
    truncate: StrictBool | None = Field(
        default=None,
        description="false: a text longer than the model reads is an error; else it is cut",
    )
    truncation_direction: Literal["Left", "Right"] = Field(
        default="Right", description="the end of a long text that is cut off"
    )
    raw_scores: StrictBool = Field(
        default=False, description="outputs before calibration; refused, they are not kept"
    )
    options: dict[str, StrictBool] | None = Field(
        default=None,
        description="`use_cache` and `wait_for_model` of the hosted API; nothing waits or differs "
        "here",
    )

    @field_validator("inputs", mode="before")
    @classmethod
    def _text_or_batch(cls, given: object) -> object:
        if isinstance(given, str):
            return given
        if not isinstance(given, list) or not given:
            raise PydanticCustomError("inputs", 'give a string, or a batch [["first"], ["second"]]')
        if any(isinstance(item, str) for item in given):
            raise PydanticCustomError("inputs", _PAIR)
        for place, item in enumerate(given):
            if not isinstance(item, list) or not all(isinstance(text, str) for text in item):
                raise PydanticCustomError(
                    "inputs", "item {place} is no list of one text", {"place": place}
                )
            if len(item) != 1:
                raise PydanticCustomError(
                    "inputs",
                    "item {place} has {count} texts; pairs are not read, give each text a list of "
                    "its own",
                    {"place": place, "count": len(item)},
                )
        return given


class PredictedLabel(BaseModel):
    """A label and its calibrated probability."""

    score: Annotated[float, Field(ge=0, le=1)]
    label: str


class PredictResponse(RootModel[list[PredictedLabel] | list[list[PredictedLabel]]]):
    """Labels, likeliest first: of one text, or of each text of a batch."""


class PredictError(BaseModel):
    """An error."""

    error: str
    error_type: Literal["Validation", "Overloaded", "Unhealthy", "Backend"]


class ClassifierType(BaseModel):
    """The labels by number and back."""

    id2label: dict[str, str]
    label2id: dict[str, int]


class ModelType(BaseModel):
    """What kind of model is served."""

    classifier: ClassifierType


class Info(BaseModel):
    """The default model and the limits of a request."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_sha: Annotated[str, Field(description="the model's version")]
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: Annotated[int, Field(description="texts that may wait")]
    max_input_length: Annotated[int, Field(description="tokens read of a text")]
    max_batch_tokens: Annotated[int, Field(description="tokens that may wait")]
    max_batch_requests: int | None
    max_client_batch_size: Annotated[int, Field(description="texts in a request")]
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
    limits: Annotated[Limits, Field(description="all of them, as in `/v1/models`")]


async def predict(context: Context, request: Request) -> Outcome:
    """Answer ``POST /predict``, ``POST /`` and ``POST /models/{name}``."""
    started = time.perf_counter()
    asked = await request.json(PredictRequest)
    one = isinstance(asked.inputs, str)
    texts = [asked.inputs] if isinstance(asked.inputs, str) else [text for (text,) in asked.inputs]
    parameters = asked.parameters or PredictParameters()
    scorer = context.models.get(request.parameters.get("name"))
    _require_calibrated(asked, parameters, scorer)
    require_within_limits(texts, context.settings, field="inputs")
    scorer, scored = await score_texts(
        context,
        request,
        ScoreRequest(texts, truncation=_truncation(asked, parameters)),
        model=scorer.name,
    )
    rows = await label_scores(scorer, scored, top_k=parameters.top_k)
    response = Response(
        await to_json(rows[0] if one and asked.parameters is None else rows),
        headers=compute_headers(scorer, scored, seconds=time.perf_counter() - started),
    )
    return Outcome.of(response, scorer, scored)


async def label_scores(
    scorer: Scorer, scored: Scored, *, top_k: int | None = None
) -> list[list[dict[str, Any]]]:
    """Labels and scores of each text, likeliest first; of equal ones the model's first."""
    labels = scorer.manifest.labels
    rows = []
    for prediction in scored.predictions:
        probabilities = prediction.probabilities
        ranked = sorted(range(len(labels)), key=probabilities.__getitem__, reverse=True)
        rows.append(
            [{"score": probabilities[place], "label": labels[place]} for place in ranked[:top_k]]
        )
        if not len(rows) % TURN_TEXTS:
            await asyncio.sleep(0)
    return rows


def compute_headers(
    scorer: Scorer, scored: Scored, *, seconds: float
) -> tuple[tuple[bytes, bytes], ...]:
    """What was done for an answer, as TEI tells it; times are whole milliseconds."""
    milliseconds = b"%d" % round(seconds * 1000)
    return (
        (b"x-compute-type", b"gpu" if scorer.engine.name.startswith("cuda") else b"cpu"),
        (b"x-compute-time", milliseconds),
        (b"x-total-time", milliseconds),
        (b"x-compute-characters", b"%d" % scored.usage.characters),
        (b"x-compute-tokens", b"%d" % scored.usage.tokens_used),
    )


def _truncation(asked: PredictRequest, parameters: PredictParameters) -> Truncation:
    wanted = asked.truncate if asked.truncate is not None else parameters.truncation
    if wanted is False:
        return "error"
    return "tail" if asked.truncation_direction == "Left" else "head"


def _require_calibrated(
    asked: PredictRequest, parameters: PredictParameters, scorer: Scorer
) -> None:
    """Raise :class:`InvalidRequest` for scores that are not the model's own."""
    own = _FUNCTIONS[scorer.manifest.task]
    if asked.raw_scores:
        raise InvalidRequest.of(
            "raw_scores", f"only calibrated {own} scores are given; leave it out"
        )
    if parameters.function_to_apply not in (None, own):
        raise InvalidRequest.of(
            "parameters.function_to_apply",
            f"the scores of {scorer.name!r} are calibrated for {own}; ask for that or leave it out",
        )


async def info(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /info``."""
    scorer = context.models.get()
    labels = scorer.manifest.labels
    limited = limits(context.settings, scorer.manifest)
    answer = Info(
        model_id=scorer.name,
        model_sha=scorer.version,
        model_dtype="float32",
        model_type=ModelType(
            classifier=ClassifierType(
                id2label={str(place): label for place, label in enumerate(labels)},
                label2id={label: place for place, label in enumerate(labels)},
            )
        ),
        max_concurrent_requests=limited.queue_items,
        max_input_length=limited.max_tokens,
        max_batch_tokens=limited.queue_tokens,
        max_batch_requests=None,
        max_client_batch_size=limited.max_texts,
        auto_truncate=True,
        tokenization_workers=1,
        version=VERSION,
        sha=None,
        docker_label=None,
        limits=limited,
    )
    return Outcome(Response(answer.model_dump_json().encode()))


async def health(context: Context, request: Request) -> Outcome:
    """Answer ``GET /health``: TEI's is empty when all is well."""
    await ready(context, request)
    return Outcome(Response(b"", media_type="text/plain"))


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` as TEI writes it."""
    content = {
        "error": problem.detail,
        "error_type": _ERROR_TYPES.get(problem.kind.status, "Validation"),
    }
    return Response(
        pydantic_core.to_json(content), status=problem.kind.status, headers=problem.headers
    )


PREDICT_EXAMPLES: dict[str, Any] = {
    "one text": {"inputs": "I love this little thing!"},
    "a batch": {"inputs": [["I love it."], ["It broke."]], "truncation_direction": "Left"},
    "as huggingface_hub": {"inputs": "I love it.", "parameters": {"top_k": 1}},
}
_LABELS: list[Any] = [
    {"score": 0.9375, "label": "positive"},
    {"score": 0.046875, "label": "neutral"},
    {"score": 0.015625, "label": "negative"},
]
PREDICTED: dict[str, Any] = {
    "one text": _LABELS,
    "a batch": [_LABELS, [{**row, "score": 1 / 3} for row in _LABELS]],
    "as huggingface_hub": [_LABELS[:1]],
}
_INFO: dict[str, Any] = {
    "model_id": "sentiment",
    "model_sha": "1",
    "model_dtype": "float32",
    "model_type": {
        "classifier": {
            "id2label": {"0": "negative", "1": "neutral", "2": "positive"},
            "label2id": {"negative": 0, "neutral": 1, "positive": 2},
        }
    },
    "max_concurrent_requests": LIMITS["queue_items"],
    "max_input_length": LIMITS["max_tokens"],
    "max_batch_tokens": LIMITS["queue_tokens"],
    "max_batch_requests": None,
    "max_client_batch_size": LIMITS["max_texts"],
    "auto_truncate": True,
    "tokenization_workers": 1,
    "version": VERSION,
    "sha": None,
    "docker_label": None,
    "limits": LIMITS,
}
_NO_MODEL = tuple(error for error in SCORING_ERRORS if error is not errors.UnknownModel)


def _predict(path: str, *, description: str, named: bool = False) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=predict,
        refuse=refuse,
        operation=Operation(
            summary="Classify, as text-embeddings-inference does",
            description=description,
            tag="huggingface",
            request=PredictRequest,
            request_examples=PREDICT_EXAMPLES,
            response=PredictResponse,
            response_examples=PREDICTED,
            parameters={"name": "`name` or `name:version`"} if named else {},
            errors=SCORING_ERRORS if named else _NO_MODEL,
            error=PredictError,
        ),
    )


def _get(path: str, handler: Handler, operation: Operation, *, logged: bool = True) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        operation=operation,
        refuse=refuse,
        logged=logged,
        # probes bring no key
        open=not logged,
    )


ROUTES = (
    _predict("/predict", description="By the default model."),
    _predict("/", description="The same as /predict; what `huggingface_hub` calls."),
    _predict("/models/{name}", description="The same, by a model of your choice.", named=True),
    _get(
        "/info",
        info,
        Operation(
            summary="The default model, as text-embeddings-inference describes it",
            description="Labels and limits.",
            tag="huggingface",
            response=Info,
            response_examples={"sentiment": _INFO},
            errors=(errors.Unavailable,),
            error=PredictError,
        ),
    ),
    _get(
        "/health",
        health,
        Operation(
            summary="Are the models loaded and warm?",
            description="Empty when they are.",
            tag="huggingface",
            response="text/plain",
            errors=(errors.Unavailable,),
            error=PredictError,
        ),
        logged=False,
    ),
)
