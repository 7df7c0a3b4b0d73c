"""The Open Inference Protocol v2 over REST, which KServe, Triton and MLServer speak.

One input, ``text``, of BYTES; two outputs, ``label`` and ``probabilities``. Tensors may be binary,
which is what Triton's client sends unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic_core
from pydantic import BaseModel, JsonValue
from valence.service import errors
from valence.service.api.dialects.open_inference import tensors
from valence.service.api.dialects.open_inference.schemas import (
    InferError,
    InferInput,
    InferRequest,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Parameters,
    Ready,
    ServerMetadata,
    TensorMetadata,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Handler, Operation, Route
from valence.service.api.http.scoring import require_within_limits, score_texts
from valence.service.api.http.validation import parse
from valence.service.api.operations import health
from valence.service.classifier.truncation import TRUNCATIONS, Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored, ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.version import VERSION

OCTETS = "application/octet-stream"
_OUTPUTS = ("label", "probabilities")


async def infer(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v2/models/{name}[/versions/{version}]/infer``."""
    name = _named(request)
    context.models.get(name)
    request.require_media("application/json", OCTETS)
    content, binary = tensors.split(await request.body.read(), request.headers.get(tensors.HEADER))
    asked = parse(InferRequest, content)
    wanted = _wanted(asked)
    truncation = _truncation(asked.parameters)
    texts = _texts(asked.inputs, binary)
    require_within_limits(texts, context.settings, field="inputs.0.data")
    scorer, scored = await score_texts(
        context, request, ScoreRequest(texts, truncation=truncation), model=name
    )
    response = _answer(scorer, scored, request_id=asked.id, wanted=wanted)
    return Outcome.of(response, scorer, scored)


def _wanted(asked: InferRequest) -> list[tuple[str, bool]]:
    """The outputs that are wanted, and whether each as binary data."""
    default = _flag(asked.parameters, "binary_data_output", False, field="parameters")
    if not asked.outputs:
        return [(name, default) for name in _OUTPUTS]
    wanted: list[tuple[str, bool]] = []
    for place, output in enumerate(asked.outputs):
        field = f"outputs.{place}"
        if output.name not in _OUTPUTS:
            raise InvalidRequest.of(f"{field}.name", f"there are {' and '.join(_OUTPUTS)}")
        if output.name in [name for name, _ in wanted]:
            raise InvalidRequest.of(f"{field}.name", "is there twice")
        if "classification" in output.parameters:
            raise InvalidRequest.of(
                f"{field}.parameters.classification",
                "is not done; ask for the outputs label and probabilities",
            )
        _refuse_shared_memory(output.parameters, field=field)
        flag = _flag(output.parameters, "binary_data", default, field=f"{field}.parameters")
        wanted.append((output.name, flag))
    return wanted


def _flag(parameters: Parameters, name: str, default: bool, *, field: str) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest.of(f"{field}.{name}", "must be true or false")
    return value


def _refuse_shared_memory(parameters: Parameters, *, field: str) -> None:
    if any(name.startswith("shared_memory") for name in parameters):
        raise InvalidRequest.of(
            f"{field}.parameters", "there is no shared memory; send the data in the request"
        )


def _truncation(parameters: Parameters) -> Truncation:
    given = parameters.get("truncation", "head")
    for truncation in TRUNCATIONS:
        if given == truncation:
            return truncation
    raise InvalidRequest.of("parameters.truncation", f"one of {', '.join(TRUNCATIONS)}")


def _texts(inputs: Sequence[InferInput], binary: bytes) -> list[str]:
    """The texts asked for, from the one input there may be."""
    if len(inputs) != 1 or inputs[0].name != "text":
        raise InvalidRequest.of("inputs", "give exactly one, named text")
    (given,) = inputs
    field = "inputs.0"
    if given.datatype != "BYTES":
        raise InvalidRequest.of(f"{field}.datatype", "must be BYTES")
    _refuse_shared_memory(given.parameters, field=field)
    size = given.parameters.get("binary_data_size")
    if size is None:
        if given.data is None:
            raise InvalidRequest.of(f"{field}.data", "is missing")
        if binary:
            raise InvalidRequest.of(
                field, f"{len(binary)} bytes follow the JSON, but binary_data_size is not given"
            )
        texts = tensors.texts_of_json(given.data, given.shape, field=f"{field}.data")
    else:
        if given.data is not None:
            raise InvalidRequest.of(field, "give data or binary_data_size, not both")
        if size != len(binary) or isinstance(size, bool):
            raise InvalidRequest.of(
                f"{field}.parameters.binary_data_size",
                f"{len(binary)} bytes follow the JSON, whose length the header "
                "Inference-Header-Content-Length gives; they must be as many",
            )
        texts = tensors.texts_of_binary(binary, field=f"{field}.data")
    shape = given.shape
    if not shape or (len(shape) == 2 and shape[1] != 1):
        raise InvalidRequest.of(f"{field}.shape", "must be [n] or [n, 1]: one text a row")
    if shape[0] != len(texts):
        raise InvalidRequest.of(f"{field}.shape", f"{shape}, but there are {len(texts)} texts")
    if not texts:
        raise InvalidRequest.of(f"{field}.data", "give at least one text")
    return texts


def _answer(
    scorer: Scorer, scored: Scored, *, request_id: str | None, wanted: Sequence[tuple[str, bool]]
) -> Response:
    predictions = scored.predictions
    labels = [prediction.label for prediction in predictions]
    rows = [prediction.probabilities for prediction in predictions]
    outputs: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for name, as_binary in wanted:
        output: dict[str, Any]
        if name == "label":
            output = {"name": name, "shape": [len(labels)], "datatype": "BYTES"}
        else:
            shape = [len(rows), len(scorer.manifest.labels)]
            output = {"name": name, "shape": shape, "datatype": "FP32"}
        if as_binary:
            content = (
                tensors.binary_of_texts(labels)
                if name == "label"
                else tensors.binary_of_numbers(rows)
            )
            output["parameters"] = {"binary_data_size": len(content)}
            binary.append(content)
        else:
            output["data"] = labels if name == "label" else [value for row in rows for value in row]
        outputs.append(output)
    answer: dict[str, Any] = {"model_name": scorer.name, "model_version": scorer.version}
    if request_id is not None:
        answer["id"] = request_id
    head = pydantic_core.to_json({**answer, "outputs": outputs})
    if not binary:
        return Response(head)
    return Response(
        b"".join((head, *binary)),
        media_type=OCTETS,
        headers=((tensors.HEADER, b"%d" % len(head)),),
    )


def _named(request: Request) -> str:
    name, version = request.parameters["name"], request.parameters.get("version")
    return name if version is None else f"{name}:{version}"


async def server(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /v2``."""
    answer = ServerMetadata(name="valence", version=VERSION, extensions=["binary_tensor_data"])
    return Outcome(Response(answer.model_dump_json().encode()))


async def live(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/live``."""
    await health.live(context, request)
    return Outcome(Response(b'{"live":true}'))


async def ready(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/health/ready``."""
    await health.ready(context, request)
    return Outcome(Response(b'{"ready":true}'))


async def show_model(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]``."""
    scorer = context.models.get(_named(request))
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


async def model_ready(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]/ready``."""
    scorer = context.models.get(_named(request))
    return Outcome(Response(pydantic_core.to_json({"name": scorer.name, "ready": True})))


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` as the protocol writes it."""
    return Response(
        pydantic_core.to_json({"error": problem.detail}),
        status=problem.kind.status,
        headers=problem.headers,
    )


_PATHS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
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
_BY_MODEL = (errors.UnknownModel, errors.Unavailable)


def _described(path: str) -> dict[str, str]:
    described = {"name": "`name`, as in `/v1/models`", "version": "its version"}
    return {name: text for name, text in described.items() if f"{{{name}}}" in path}


def _get(
    path: str,
    handler: Handler,
    response: type[BaseModel],
    *,
    summary: str,
    example: JsonValue,
    failures: tuple[type[errors.RequestError], ...] = (),
    logged: bool = True,
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        refuse=refuse,
        logged=logged,
        # probes bring no key
        open=not logged,
        operation=Operation(
            summary=summary,
            description="By the Open Inference Protocol.",
            tag="open inference protocol",
            response=response,
            response_examples={"valence": example},
            parameters=_described(path),
            errors=failures,
            error=InferError,
        ),
    )


def _infer(path: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=infer,
        refuse=refuse,
        operation=Operation(
            summary="Classify, by the Open Inference Protocol",
            description="Tensors may be binary data in the request and in the answer: the header "
            "`Inference-Header-Content-Length` then gives the length of the JSON before them.",
            tag="open inference protocol",
            parameters=_described(path),
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


ROUTES = (
    _get(
        "/v2",
        server,
        ServerMetadata,
        summary="The server",
        example={"name": "valence", "version": VERSION, "extensions": ["binary_tensor_data"]},
    ),
    _get(
        "/v2/health/live",
        live,
        Live,
        summary="Is the process alive?",
        example={"live": True},
        failures=(errors.Unavailable,),
        logged=False,
    ),
    _get(
        "/v2/health/ready",
        ready,
        Ready,
        summary="Are the models loaded and warm?",
        example={"ready": True},
        failures=(errors.Unavailable,),
        logged=False,
    ),
    *(
        _get(
            path,
            show_model,
            ModelMetadata,
            summary="Inputs and outputs",
            example=_METADATA,
            failures=_BY_MODEL,
        )
        for path in _PATHS
    ),
    *(
        _get(
            f"{path}/ready",
            model_ready,
            ModelReady,
            summary="Does the model answer?",
            example={"name": "sentiment", "ready": True},
            failures=_BY_MODEL,
            logged=False,
        )
        for path in _PATHS
    ),
    *(_infer(f"{path}/infer") for path in _PATHS),
)
