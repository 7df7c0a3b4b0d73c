"""``ModelInfer``: the tensors of a message are read as those of the protocol over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from valence.service.api.dialects.open_inference import tensors
from valence.service.api.dialects.open_inference.inference import read_inference
from valence.service.api.dialects.open_inference.schemas import InferRequest
from valence.service.api.grpc.messages import MESSAGES
from valence.service.api.grpc.procedures import (
    make_route,
    name_model,
    read_message,
    read_parameters,
    write_message,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.api.http.scoring import find_scorer, require_few, score_texts
from valence.service.api.http.validation import readable
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import Scored
from valence.service.inference.scorer import Scorer
from valence.service.settings import Settings

_MAX_OUTPUTS = 2
_CONTENTS = "inputs.0.contents.bytes_contents"
_Request, _Response = MESSAGES["ModelInferRequest"], MESSAGES["ModelInferResponse"]


async def infer(context: Context, request: Request) -> Outcome:
    """Answer ``ModelInfer``."""
    message = await read_message(request, _Request)
    scorer = find_scorer(context, request, name_model(message.model_name, message.model_version))
    asked = read_inference(*_read(message, context.settings), context.settings)
    scored = await score_texts(context, request, asked.score_request, scorer)
    answer = _Response(model_name=scorer.name, model_version=scorer.version, id=message.id)
    outputs = [name for name, _ in asked.outputs]
    _fill(answer, outputs, scorer, scored, raw=bool(message.raw_input_contents))
    return Outcome.of(write_message(answer), scorer, scored)


def _read(message: Any, settings: Settings) -> tuple[InferRequest, bytes]:
    """The request that ``message`` is over HTTP, and the bytes of its binary tensor."""
    raw = message.raw_input_contents
    # a message of a megabyte has room for half a million tensors
    if len(message.inputs) != 1:
        raise InvalidRequest.for_field("inputs", "give exactly one input, named text")
    if len(message.outputs) > _MAX_OUTPUTS:
        raise InvalidRequest.for_field(
            "outputs", f"{len(message.outputs)} outputs, there are {_MAX_OUTPUTS}"
        )
    if len(raw) > 1:
        raise InvalidRequest.for_field(
            "raw_input_contents",
            f"{len(raw)} contents for one input; give one, or none and bytes_contents",
        )
    fields = {
        "id": message.id,
        "parameters": read_parameters(message.parameters),
        "inputs": [_read_input(message.inputs[0], raw[0] if raw else None, settings)],
        "outputs": [
            {"name": output.name, "parameters": read_parameters(output.parameters)}
            for output in message.outputs
        ],
    }
    try:
        return InferRequest.model_validate(fields), b"".join(raw)
    except ValidationError as error:
        raise readable(error) from None


def _read_input(tensor: Any, raw: bytes | None, settings: Settings) -> dict[str, Any]:
    parameters = read_parameters(tensor.parameters)
    fields = {
        "name": tensor.name,
        "datatype": tensor.datatype,
        # two dimensions and one too many: more of them say nothing more
        "shape": list(tensor.shape[:3]),
        "parameters": parameters,
    }
    if raw is not None:
        parameters["binary_data_size"] = len(raw)
    if raw is None or tensor.HasField("contents"):
        contents = tensor.contents.bytes_contents
        require_few(contents, settings, field=_CONTENTS)
        fields["data"] = _read_texts(contents)
    return fields


def _read_texts(contents: Sequence[bytes]) -> list[str]:
    texts = []
    for index, content in enumerate(contents):
        try:
            texts.append(content.decode())
        except UnicodeDecodeError:
            raise InvalidRequest.for_field(
                _CONTENTS, f"element {index} is not UTF-8; encode the text in UTF-8"
            ) from None
    return texts


def _fill(
    answer: Any, outputs: Sequence[str], scorer: Scorer, scored: Scored, *, raw: bool
) -> None:
    """Write ``outputs`` into ``answer``; ``raw``, if the request was."""
    predictions = scored.predictions
    for name in outputs:
        output = answer.outputs.add(name=name)
        if name == "label":
            labels = [prediction.label for prediction in predictions]
            output.datatype = "BYTES"
            output.shape.append(len(labels))
            if raw:
                answer.raw_output_contents.append(tensors.encode_texts(labels))
            else:
                output.contents.bytes_contents.extend(label.encode() for label in labels)
        else:
            rows = [prediction.probabilities for prediction in predictions]
            output.datatype = "FP32"
            output.shape.extend((len(rows), len(scorer.manifest.labels)))
            if raw:
                answer.raw_output_contents.append(tensors.encode_numbers(rows))
            else:
                output.contents.fp32_contents.extend(value for row in rows for value in row)


STREAM = make_route("ModelStreamInfer", infer, "Score the texts of each message of a stream")
ROUTES = (make_route("ModelInfer", infer, "Score texts"),)
