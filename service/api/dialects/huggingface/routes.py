"""The routes of Hugging Face's dialect, named as in text-embeddings-inference (TEI)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pydantic_core
from valence.service import errors
from valence.service.api.dialects.huggingface.predict import predict
from valence.service.api.dialects.huggingface.schemas import (
    ClassifierType,
    Info,
    ModelType,
    PredictError,
    PredictRequest,
    PredictResponse,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import (
    SCORING_ERRORS,
    Context,
    Operation,
    Route,
    make_get_route,
)
from valence.service.api.operations.health import check_readiness
from valence.service.api.v1.examples import LIMITS
from valence.service.api.v1.models import limits
from valence.service.version import VERSION

_ERROR_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Backend"}


async def show_info(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /info``."""
    scorer = context.models.get()
    labels = scorer.manifest.labels
    model_limits = limits(context.settings, scorer.manifest)
    answer = Info(
        model_id=scorer.name,
        model_sha=scorer.version,
        model_dtype="float32",
        model_type=ModelType(
            classifier=ClassifierType(
                id2label={str(index): label for index, label in enumerate(labels)},
                label2id={label: index for index, label in enumerate(labels)},
            )
        ),
        max_concurrent_requests=model_limits.queue_items,
        max_input_length=model_limits.max_tokens,
        max_batch_tokens=model_limits.queue_tokens,
        max_batch_requests=None,
        max_client_batch_size=model_limits.max_texts,
        auto_truncate=True,
        tokenization_workers=1,
        version=VERSION,
        sha=None,
        docker_label=None,
        limits=model_limits,
    )
    return Outcome(Response(answer.model_dump_json().encode()))


async def check_health(context: Context, request: Request) -> Outcome:
    """Answer ``GET /health``. As in TEI the answer is empty if the models are ready."""
    await check_readiness(context, request)
    return Outcome(Response(b"", media_type="text/plain"))


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape of TEI."""
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
_IN_PATH = "The model, as `name`, `name:version` or `name@alias`."
_NO_MODEL = tuple(error for error in SCORING_ERRORS if error is not errors.UnknownModel)


def _predict_route(path: str, *, description: str, in_path: bool = False) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=predict,
        refuse=refuse,
        operation=Operation(
            summary="Classify as text-embeddings-inference does",
            description=description,
            tag="huggingface",
            request=PredictRequest,
            request_examples=PREDICT_EXAMPLES,
            response=PredictResponse,
            response_examples=PREDICTED,
            parameters={"name": _IN_PATH} if in_path else {},
            errors=SCORING_ERRORS if in_path else _NO_MODEL,
            error=PredictError,
        ),
    )


_get_route = partial(make_get_route, refuse=refuse)


ROUTES = (
    _predict_route("/predict", description="The default model answers."),
    _predict_route("/", description="The same as /predict. `huggingface_hub` calls this path."),
    _predict_route(
        "/models/{name}",
        description="The same as /predict, with the model in the path.",
        in_path=True,
    ),
    _get_route(
        "/info",
        show_info,
        Operation(
            summary="Show the default model as text-embeddings-inference does",
            description="Labels and limits of the default model.",
            tag="huggingface",
            response=Info,
            response_examples={"sentiment": _INFO},
            errors=(errors.Unavailable,),
            error=PredictError,
        ),
    ),
    _get_route(
        "/health",
        check_health,
        Operation(
            summary="Are the models loaded and warm?",
            description="The answer is empty if they are. Otherwise the status is 503.",
            tag="huggingface",
            response="text/plain",
            errors=(errors.Unavailable,),
            error=PredictError,
        ),
        logged=False,
    ),
)
