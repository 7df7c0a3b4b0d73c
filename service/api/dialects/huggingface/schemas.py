"""The messages of ``/predict`` and ``/info`` as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictBool, field_validator
from pydantic_core import PydanticCustomError
from valence.service.api.v1.cards import Limits

_BATCH = 'send a batch as [["first text"], ["second text"]]'
_PAIR = f"a list of strings is a pair of texts, which these models do not read; {_BATCH}"


class PredictParameters(BaseModel):
    """Options of the answer, named as in ``transformers``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="Return only the scores of the k likeliest labels."
    )
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        default=None,
        description="The function from logits to scores. Only the function of the calibration is "
        "allowed: softmax, or sigmoid for a multi-label model.",
    )
    truncation: StrictBool | None = Field(
        default=None, description="The same as `truncate`, which has precedence."
    )


_OneText = Annotated[list[str], Field(min_length=1, max_length=1)]


def _add_list_of_one(schema: dict[str, Any]) -> None:
    """Publish the list of one string, which is read as that string."""
    schema["anyOf"].append(
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}
    )


class PredictRequest(BaseModel):
    """One text, or a batch: a list of lists with one text each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: str | Annotated[list[_OneText], Field(min_length=1)] = Field(
        description='One text, `"text"` or `["text"]`, or a batch: `[["first"], ["second"]]`.',
        json_schema_extra=_add_list_of_one,
    )
    parameters: PredictParameters | None = Field(
        default=None, description="If given, the answer to one text is a list of lists too."
    )
    truncate: StrictBool | None = Field(
        default=None,
        description="False: a text longer than the model reads is an error. Otherwise it is cut.",
    )
    truncation_direction: Literal["Left", "Right", "left", "right"] = Field(
        default="Right", description="The end of a long text that is cut off."
    )
    raw_scores: StrictBool = Field(
        default=False, description="Scores before calibration. True is refused."
    )
    options: dict[str, StrictBool] | None = Field(
        default=None,
        description="`use_cache` and `wait_for_model` of the hosted API. The options have no "
        "effect.",
    )

    @field_validator("inputs", mode="before")
    @classmethod
    def _check_inputs(cls, inputs: object) -> object:
        if isinstance(inputs, str):
            return inputs
        if not isinstance(inputs, list) or not inputs:
            raise PydanticCustomError("inputs", 'give a string, or a batch [["first"], ["second"]]')
        if isinstance(inputs[0], str):
            return _read_strings(inputs)
        for index, item in enumerate(inputs):
            if not isinstance(item, list) or not all(isinstance(text, str) for text in item):
                raise PydanticCustomError(
                    "inputs", "item {index} is not a list of one text", {"index": index}
                )
            if len(item) != 1:
                raise PydanticCustomError(
                    "inputs",
                    "item {index} has {count} texts; these models do not read pairs, send each "
                    "text in a list of its own",
                    {"index": index, "count": len(item)},
                )
        return inputs


def _read_strings(inputs: list[object]) -> str:
    """The text of a list that begins with a string; a list of one string is one text."""
    if len(inputs) == 1:
        return str(inputs[0])
    if len(inputs) == 2 and isinstance(inputs[1], str):
        raise PydanticCustomError("inputs", _PAIR)
    raise PydanticCustomError(
        "inputs",
        "a list of {count} items that begins with a string is neither a pair nor a batch; "
        + _BATCH,
        {"count": len(inputs)},
    )


class PredictedLabel(BaseModel):
    """A label and its calibrated probability."""

    score: Annotated[float, Field(ge=0, le=1)]
    label: str


class PredictResponse(RootModel[list[PredictedLabel] | list[list[PredictedLabel]]]):
    """Labels with scores, likeliest first: of one text, or of each text of a batch."""


class PredictError(BaseModel):
    """An error."""

    error: str
    error_type: Literal["Validation", "Overloaded", "Unhealthy", "Backend"]


class ClassifierType(BaseModel):
    """The labels by class number, and the class numbers by label."""

    id2label: dict[str, str]
    label2id: dict[str, int]


class ModelType(BaseModel):
    """The kind of the model."""

    classifier: ClassifierType


class Info(BaseModel):
    """The default model and the limits of a request."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_sha: Annotated[str, Field(description="The version of the model.")]
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: Annotated[
        int, Field(description="Maximum number of texts in the queue.")
    ]
    max_input_length: Annotated[
        int, Field(description="Tokens of a text that the model reads at once.")
    ]
    max_batch_tokens: Annotated[int, Field(description="Maximum number of tokens in the queue.")]
    max_batch_requests: int | None
    max_client_batch_size: Annotated[
        int, Field(description="Maximum number of texts in a request.")
    ]
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
    limits: Annotated[Limits, Field(description="All limits, as in `/v1/models`.")]
