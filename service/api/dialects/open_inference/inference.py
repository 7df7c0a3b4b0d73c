"""Inference: texts from the tensors of a request, and the answer as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pydantic_core
from valence.service.api.dialects.open_inference import parameters, tensors
from valence.service.api.dialects.open_inference.schemas import InferInput, InferRequest
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context
from valence.service.api.http.scoring import find_scorer, require_within_limits, score_texts
from valence.service.api.http.validation import parse
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored, ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.settings import Settings

OCTETS = "application/octet-stream"
_OUTPUTS = ("label", "probabilities")


async def infer(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v2/models/{name}[/versions/{version}]/infer``."""
    scorer = find_scorer(context, request, model_in_path(request))
    request.require_media("application/json", OCTETS)
    content, binary = tensors.split_body(
        await request.body.read(), request.headers.get(tensors.HEADER)
    )
    body = parse(InferRequest, content, max_items=request.body.max_items)
    asked = read_inference(body, binary, context.settings)
    scored = await score_texts(context, request, asked.score_request, scorer)
    response = _build_answer(scorer, scored, request_id=body.id, wanted=asked.outputs)
    return Outcome.of(response, scorer, scored)


class Inference(NamedTuple):
    """What a request asks for, whatever it came in."""

    score_request: ScoreRequest
    outputs: list[tuple[str, bool]]
    """The wanted outputs as ``(name, whether it is binary)``."""


def read_inference(body: InferRequest, binary: bytes, settings: Settings) -> Inference:
    """What ``body`` asks for, with the ``binary`` tensors after it.

    Raises :class:`InvalidRequest`.
    """
    truncation, default = parameters.read_request(body.parameters)
    wanted = _read_outputs(body, default=default)
    texts = _read_texts(body.inputs, binary, settings)
    require_within_limits(texts, settings, field="inputs.0.data")
    return Inference(ScoreRequest(texts, truncation=truncation), wanted)


def _read_outputs(body: InferRequest, *, default: bool) -> list[tuple[str, bool]]:
    """The wanted outputs as ``(name, whether it is binary)``; ``default`` where it is not said."""
    if not body.outputs:
        return [(name, default) for name in _OUTPUTS]
    wanted: list[tuple[str, bool]] = []
    for index, output in enumerate(body.outputs):
        field = f"outputs.{index}"
        if output.name not in _OUTPUTS:
            raise InvalidRequest.for_field(f"{field}.name", f"must be {' or '.join(_OUTPUTS)}")
        if output.name in [name for name, _ in wanted]:
            raise InvalidRequest.for_field(f"{field}.name", "given twice; give it once")
        binary = parameters.is_binary(
            output.parameters, output=output.name, default=default, field=field
        )
        wanted.append((output.name, binary))
    return wanted


def _read_texts(inputs: Sequence[InferInput], binary: bytes, settings: Settings) -> list[str]:
    """The texts of the request, which must have exactly one input."""
    if len(inputs) != 1 or inputs[0].name != "text":
        raise InvalidRequest.for_field("inputs", "give exactly one input, named text")
    (tensor,) = inputs
    field = "inputs.0"
    if tensor.datatype != "BYTES":
        raise InvalidRequest.for_field(f"{field}.datatype", "must be BYTES")
    encoded = parameters.is_base64(tensor.parameters, field=field)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        if tensor.data is None:
            raise InvalidRequest.for_field(f"{field}.data", "is missing")
        if binary:
            raise InvalidRequest.for_field(
                field, f"{len(binary)} bytes follow the JSON, but binary_data_size is missing"
            )
        texts = tensors.decode_json_texts(tensor.data, tensor.shape, field=f"{field}.data")
    else:
        if tensor.data is not None:
            raise InvalidRequest.for_field(field, "give data or binary_data_size, not both")
        if size != len(binary) or isinstance(size, bool):
            raise InvalidRequest.for_field(
                f"{field}.parameters.binary_data_size",
                f"{len(binary)} bytes follow the JSON, and binary_data_size must be this number; "
                "the header Inference-Header-Content-Length is the length of the JSON",
            )
        texts = tensors.decode_binary_texts(
            binary, field=f"{field}.data", max_texts=settings.max_texts
        )
    if encoded:
        texts = tensors.decode_base64_texts(texts, field=f"{field}.data")
    shape = tensor.shape
    if not shape or (len(shape) == 2 and shape[1] != 1):
        raise InvalidRequest.for_field(f"{field}.shape", "must be [n] or [n, 1]: one text per row")
    if shape[0] != len(texts):
        raise InvalidRequest.for_field(
            f"{field}.shape", f"{shape}, but there are {len(texts)} texts"
        )
    if not texts:
        raise InvalidRequest.for_field(f"{field}.data", "give at least one text")
    return texts


def _build_answer(
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
                tensors.encode_texts(labels) if name == "label" else tensors.encode_numbers(rows)
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


def model_in_path(request: Request) -> str:
    """``name`` or ``name:version`` from the path of ``request``."""
    name, version = request.parameters["name"], request.parameters.get("version")
    return name if version is None else f"{name}:{version}"
