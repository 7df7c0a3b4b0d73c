"""The Open Inference Protocol v2 over REST, the protocol of KServe, Triton and MLServer.

A model has one input, ``text`` of BYTES, and two outputs, ``label`` and ``probabilities``. Tensors
may be binary data, which is the default of Triton's client.
"""

from __future__ import annotations

import pydantic_core
from pydantic import BaseModel, JsonValue
from valence.service import errors
from valence.service.api.dialects.open_inference.inference import OCTETS, infer, model_in_path
from valence.service.api.dialects.open_inference.schemas import (
    InferError,
    InferRequest,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    TensorMetadata,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Handler, Operation, Route
from valence.service.api.operations import health
from valence.service.version import VERSION


async def show_server(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /v2``."""
    answer = ServerMetadata(name="valence", version=VERSION, extensions=["binary_tensor_data"])
    return Outcome(Response(answer.model_dump_json().encode()))


async def check_liveness(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/live``."""
    await health.check_liveness(context, request)
    return Outcome(Response(b'{"live":true}'))


async def check_readiness(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/ready``."""
    await health.check_readiness(context, request)
    return Outcome(Response(b'{"ready":true}'))


async def show_model(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]``."""
    scorer = context.models.get(model_in_path(request))
    labels = scorer.manifest.labels
    answer = ModelMetadata(
        name=scorer.name,
        versions=[scorer.version],
        platform="valence",
        inputs=[TensorMetadata(name="text", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name="label", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="probabilities", datatype="FP32", shape=[-1, len(labels)]),
        ],
        labels=list(labels),
    )
    return Outcome(Response(answer.model_dump_json().encode()))


async def show_model_ready(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]/ready``.

    A probe has no API key, so the answer to it names no model but the one that it asks for.
    """
    name = model_in_path(request)
    try:
        scorer = context.models.get(name)
    except errors.UnknownModel:
        raise errors.UnknownModel(
            f"the model {name!r} is not served; GET /v1/models lists the models"
        ) from None
    return Outcome(Response(pydantic_core.to_json({"name": scorer.name, "ready": True})))


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape of the protocol."""
    return Response(
        pydantic_core.to_json({"error": problem.detail}),
        status=problem.kind.status,
        headers=problem.headers,
    )


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


def _parameters(path: str) -> dict[str, str]:
    descriptions = {
        "name": "The name of the model, as in `/v1/models`.",
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


def _get_route(path: str, handler: Handler, operation: Operation, *, logged: bool = True) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        operation=operation,
        refuse=refuse,
        logged=logged,
        # probes do not have an API key
        open=not logged,
    )


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
    "extensions": ["binary_tensor_data"],
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
    *_model_routes("/v2/models/{name}"),
    *_model_routes("/v2/models/{name}/versions/{version}"),
)
