"""The Open Inference Protocol's messages, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

_TEXT = {"type": "string"}
_ROW = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1}
# a wrong one is refused in the protocol's words, not in the validator's
_TEXTS = {"type": "array", "items": {"anyOf": [_TEXT, _ROW]}, "minItems": 1}

Parameters = dict[str, StrictBool | StrictInt | StrictFloat | StrictStr]


class InferInput(BaseModel):
    """The texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="`text`")
    shape: Annotated[list[Annotated[int, Field(ge=0, strict=True)]], Field(max_length=2)] = Field(
        description="`[n]`, or `[n, 1]`"
    )
    datatype: str = Field(description="`BYTES`")
    parameters: Parameters = Field(
        default={}, description="`binary_data_size`, if the texts follow the JSON as binary data"
    )
    data: Annotated[list[Any], WithJsonSchema(_TEXTS)] | None = Field(
        default=None, description="strings, flat or nested as `shape`"
    )


class InferOutput(BaseModel):
    """An output that is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="`label` or `probabilities`")
    parameters: Parameters = Field(default={}, description="`binary_data`: whether as binary data")


class InferRequest(BaseModel):
    """Texts for one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(default=None, description="comes back in the answer")
    parameters: Parameters = Field(
        default={},
        description="`binary_data_output`: whether outputs are binary data unless they say "
        "otherwise; `truncation`: as of `/v1/classify`; others change nothing",
    )
    inputs: list[InferInput] = Field(json_schema_extra={"minItems": 1, "maxItems": 1})
    outputs: list[InferOutput] = Field(
        default=[],
        description="which are wanted; all if empty",
        json_schema_extra={"maxItems": 2},
    )


class InferTensor(BaseModel):
    """An output: `label` is BYTES `[n]`, `probabilities` is FP32 `[n, labels]`, row by row."""

    name: Literal["label", "probabilities"]
    shape: list[int]
    datatype: Literal["BYTES", "FP32"]
    data: list[str] | list[float]


class InferResponse(BaseModel):
    """What the model says of the texts."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    id: str = Field(default="", description="only if the request had one")
    outputs: list[InferTensor]


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output; -1 is the number of texts."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's inputs and outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    labels: Annotated[list[str], Field(description="in the order of `probabilities`")]


class Live(BaseModel):
    """Whether the process is well."""

    live: bool


class Ready(BaseModel):
    """Whether requests are answered."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model answers requests."""

    name: str
    ready: bool


class InferError(BaseModel):
    """An error."""

    error: str
