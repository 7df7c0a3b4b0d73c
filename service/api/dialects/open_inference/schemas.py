"""The messages of the Open Inference Protocol as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

_TEXT = {"type": "string"}
_ROW = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1}
# code checks the items, so that errors name the terms of the protocol and not those of pydantic
_TEXTS = {"type": "array", "items": {"anyOf": [_TEXT, _ROW]}, "minItems": 1}

Parameters = dict[str, StrictBool | StrictInt | StrictFloat | StrictStr]


class InferInput(BaseModel):
    """The input tensor with the texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Must be `text`.")
    shape: Annotated[list[Annotated[int, Field(ge=0, strict=True)]], Field(max_length=2)] = Field(
        description="`[n]` or `[n, 1]` for n texts."
    )
    datatype: str = Field(description="Must be `BYTES`.")
    parameters: Parameters = Field(
        default={},
        description="`binary_data_size`: number of bytes after the JSON, if texts are binary. "
        "`content_type`: `str`, the default, or `base64` for texts in base64. Other parameters are "
        "refused.",
    )
    data: Annotated[list[Any], WithJsonSchema(_TEXTS)] | None = Field(
        default=None, description="The texts as strings, flat or nested as in `shape`."
    )


class InferOutput(BaseModel):
    """An output that the request asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="`label` or `probabilities`.")
    parameters: Parameters = Field(
        default={}, description="`binary_data`: whether the output is binary data."
    )


class InferRequest(BaseModel):
    """The texts for one model, and the wanted outputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(
        default=None, description="Your id for the request. It is returned with the answer."
    )
    parameters: Parameters = Field(
        default={},
        description="`binary_data_output`: the default of `binary_data` of the outputs. "
        "`truncation`: as in `/v1/classify`. `priority`, `timeout` and `content_type: str` have no "
        "effect. Other parameters are refused.",
    )
    inputs: list[InferInput] = Field(json_schema_extra={"minItems": 1, "maxItems": 1})
    outputs: list[InferOutput] = Field(
        default=[],
        description="The wanted outputs. Empty: all outputs.",
        json_schema_extra={"maxItems": 2},
    )


class InferTensor(BaseModel):
    """An output: `label` is BYTES `[n]`, `probabilities` is FP32 `[n, labels]` in row order."""

    name: Literal["label", "probabilities"]
    shape: list[int]
    datatype: Literal["BYTES", "FP32"]
    data: list[str] | list[float]


class InferResponse(BaseModel):
    """The outputs of the model."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    id: str = Field(default="", description="Only present if the request has an id.")
    outputs: list[InferTensor]


class ServerMetadata(BaseModel):
    """Name, version and extensions of the server."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output. In the shape, -1 stands for the number of texts."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    labels: Annotated[list[str], Field(description="The labels in the order of `probabilities`.")]


class TensorConfiguration(BaseModel):
    """An input or output. In ``dims``, -1 stands for the number of texts."""

    name: str
    data_type: Literal["TYPE_STRING", "TYPE_FP32"]
    dims: list[int]


class ModelConfiguration(BaseModel):
    """The configuration of a model, with the fields of Triton's that apply."""

    name: str
    platform: str
    max_batch_size: Annotated[
        int, Field(description="0: the first dimension of the tensors is the number of texts.")
    ]
    input: list[TensorConfiguration]
    output: list[TensorConfiguration]


class Duration(BaseModel):
    """How often something was done, and how long that took in total."""

    count: int
    ns: Annotated[int, Field(description="Nanoseconds.")]


class InferStatistics(BaseModel):
    """The requests that were answered with scores, and their stages."""

    success: Duration
    queue: Duration
    compute_input: Annotated[Duration, Field(description="Tokenizing.")]
    compute_infer: Annotated[Duration, Field(description="The network.")]


class ModelStatistics(BaseModel):
    """What one model has done since the server started, as `/metrics` counts it."""

    name: str
    version: str
    inference_count: Annotated[
        int, Field(description="Texts that the network has read; a window counts as a text.")
    ]
    execution_count: Annotated[int, Field(description="Batches that the network has read.")]
    inference_stats: InferStatistics


class Statistics(BaseModel):
    """The statistics of one model, or of all."""

    model_config = ConfigDict(protected_namespaces=())

    model_stats: list[ModelStatistics]


class Live(BaseModel):
    """Whether the process is alive."""

    live: bool


class Ready(BaseModel):
    """Whether the service answers requests."""

    ready: bool


class ModelReady(BaseModel):
    """Whether the model answers requests."""

    name: str
    ready: bool


class IndexRequest(BaseModel):
    """Which versions to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready: StrictBool = Field(default=False, description="Only the versions in memory.")


class RepositoryEntry(BaseModel):
    """A version in the model store."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: Annotated[str, Field(description="Why the version is not ready.")]


class RepositoryIndex(RootModel[list[RepositoryEntry]]):
    """The versions in the model store."""


class RepositoryRequest(BaseModel):
    """Parameters of Triton's clients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: Parameters = Field(
        default={},
        description="`unload_dependents` has no effect. Other parameters, such as `config`, are "
        "refused.",
    )


class RepositoryChange(BaseModel):
    """The version that was loaded or unloaded."""

    name: str
    version: str


class InferError(BaseModel):
    """An error."""

    error: str
