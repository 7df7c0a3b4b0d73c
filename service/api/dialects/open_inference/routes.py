"""The Open Inference Protocol v2 over REST, the protocol of KServe, Triton and MLServer.

A model has one input, ``text`` of BYTES, and two outputs, ``label`` and ``probabilities``. Tensors
may be binary data, which is the default of Triton's client.
"""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel, JsonValue
from valence.service import errors
from valence.service.api.dialects.open_inference.inference import OCTETS, infer
from valence.service.api.dialects.open_inference.models import (
    show_configuration,
    show_model,
    show_model_ready,
    show_statistics,
)
from valence.service.api.dialects.open_inference.problems import refuse
from valence.service.api.dialects.open_inference.repository import REPOSITORY_ROUTES
from valence.service.api.dialects.open_inference.schemas import (
    InferError,
    InferRequest,
    InferResponse,
    Live,
    ModelConfiguration,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    Statistics,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import (
    SCORING_ERRORS,
    Context,
    Operation,
    Route,
    make_get_route,
)
from valence.service.api.operations import health
from valence.service.version import VERSION

_EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]


async def show_server(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /v2``."""
    answer = ServerMetadata(name="valence", version=VERSION, extensions=_EXTENSIONS)
    return Outcome(Response(answer.model_dump_json().encode()))


async def check_liveness(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/live``."""
    await health.check_liveness(context, request)
    return Outcome(Response(b'{"live":true}'))


async def check_readiness(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/ready``."""
    await health.check_readiness(context, request)
    return Outcome(Response(b'{"ready":true}'))


_METADATA: JsonValue = {
    "name": "sentiment",
    "versions": ["1"],
    "platform": "valence",
    "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
    "outputs": [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ],
    "labels": ["negative", "neutral", "positive"],
}


_CONFIGURATION: JsonValue = {
    "name": "sentiment",
    "platform": "valence",
    "max_batch_size": 0,
    "input": [{"name": "text", "data_type": "TYPE_STRING", "dims": [-1]}],
    "output": [
        {"name": "label", "data_type": "TYPE_STRING", "dims": [-1]},
        {"name": "probabilities", "data_type": "TYPE_FP32", "dims": [-1, 3]},
    ],
}
_STATISTICS: JsonValue = {
    "model_stats": [
        {
            "name": "sentiment",
            "version": "1",
            "inference_count": 12,
            "execution_count": 5,
            "inference_stats": {
                "success": {"count": 7, "ns": 3_500_000},
                "queue": {"count": 7, "ns": 400_000},
                "compute_input": {"count": 7, "ns": 600_000},
                "compute_infer": {"count": 7, "ns": 2_500_000},
            },
        }
    ]
}


def _parameters(path: str) -> dict[str, str]:
    descriptions = {
        "name": "The model, as `name`, `name:version` or `name@alias`.",
        "version": "The version of the model.",
    }
    return {name: text for name, text in descriptions.items() if f"{{{name}}}" in path}


def _operation(path: str, summary: str, response: type[BaseModel], example: JsonValue) -> Operation:
    """The operation of a route that shows metadata or health."""
    by_model = "{name}" in path
    failures = (errors.UnknownModel, errors.Unavailable) if by_model else (errors.Unavailable,)
    return Operation(
        summary=summary,
        description="A route of the Open Inference Protocol.",
        tag="open inference protocol",
        response=response,
        response_examples={"valence": example},
        parameters=_parameters(path),
        errors=() if response is ServerMetadata else failures,
        error=InferError,
    )


_get_route = partial(make_get_route, refuse=refuse)


def _infer_route(path: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=infer,
        refuse=refuse,
        operation=Operation(
            summary="Classify with the Open Inference Protocol",
            description="Tensors may be binary data in the request and in the answer. The header "
            "`Inference-Header-Content-Length` then has the length of the JSON before the tensors.",
            tag="open inference protocol",
            parameters=_parameters(path),
            request=InferRequest,
            request_examples={
                "texts": {
                    "id": "42",
                    "inputs": [
                        {
                            "name": "text",
                            "shape": [2],
                            "datatype": "BYTES",
                            "data": ["I love it.", "It broke."],
                        }
                    ],
                }
            },
            response=InferResponse,
            response_examples={
                "texts": {
                    "model_name": "sentiment",
                    "model_version": "1",
                    "id": "42",
                    "outputs": [
                        {
                            "name": "label",
                            "shape": [2],
                            "datatype": "BYTES",
                            "data": ["positive", "negative"],
                        },
                        {
                            "name": "probabilities",
                            "shape": [2, 3],
                            "datatype": "FP32",
                            "data": [0.015625, 0.046875, 0.9375, 0.75, 0.125, 0.125],
                        },
                    ],
                }
            },
            other_requests={OCTETS: None},
            other_responses={OCTETS: None},
            errors=SCORING_ERRORS,
            error=InferError,
        ),
    )


_SERVER: JsonValue = {
    "name": "valence",
    "version": VERSION,
    "extensions": [*_EXTENSIONS],
}


def _model_routes(path: str) -> tuple[Route, ...]:
    """The routes of a model, below ``path``."""
    ready_path = f"{path}/ready"
    return (
        _get_route(
            path,
            show_model,
            _operation(path, "Show the inputs and outputs of a model", ModelMetadata, _METADATA),
        ),
        _get_route(
            ready_path,
            show_model_ready,
            _operation(
                ready_path,
                "Is the model ready?",
                ModelReady,
                {"name": "sentiment", "ready": True},
            ),
            logged=False,
        ),
        _get_route(
            f"{path}/config",
            show_configuration,
            _operation(
                path,
                "Show the configuration of a model as Triton does",
                ModelConfiguration,
                _CONFIGURATION,
            ),
        ),
        _get_route(
            f"{path}/stats",
            show_statistics,
            _operation(path, "Show what a model has done as Triton does", Statistics, _STATISTICS),
        ),
        _infer_route(f"{path}/infer"),
    )


ROUTES = (
    _get_route("/v2", show_server, _operation("/v2", "Show the server", ServerMetadata, _SERVER)),
    _get_route(
        "/v2/health/live",
        check_liveness,
        _operation("/v2/health/live", "Is the process alive?", Live, {"live": True}),
        logged=False,
    ),
    _get_route(
        "/v2/health/ready",
        check_readiness,
        _operation("/v2/health/ready", "Are the models loaded and warm?", Ready, {"ready": True}),
        logged=False,
    ),
    _get_route(
        "/v2/models/stats",
        show_statistics,
        _operation(
            "/v2/models/stats",
            "Show what all models have done as Triton does",
            Statistics,
            _STATISTICS,
        ),
    ),
    *_model_routes("/v2/models/{name}"),
    *_model_routes("/v2/models/{name}/versions/{version}"),
    *REPOSITORY_ROUTES,
)
