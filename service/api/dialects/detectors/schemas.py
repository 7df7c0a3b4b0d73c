"""The messages of detectors as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictInt, StrictStr

DEFAULT_THRESHOLD = 0.5
_Threshold = Annotated[float, Field(ge=0, le=1, strict=True)]
_Label = StrictStr | StrictInt


class DetectorParameters(BaseModel):
    """Which labels of a text are detections."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: _Threshold | None = Field(
        default=None,
        description="The lowest score of a detection. Absent: of a multi-label model the label's "
        f"own threshold, otherwise {DEFAULT_THRESHOLD}.",
    )
    label_thresholds: dict[str, _Threshold] = Field(
        default={}, description="The lowest scores of single labels, instead of `threshold`."
    )
    safe_labels: _Label | list[_Label] = Field(
        default=[],
        description="Labels that are no detections, by name or by number, beside those of "
        "`VALENCE_SAFE_LABELS`.",
    )
    max_length: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None,
        description="At least the number of tokens that the model reads; the model never reads "
        "fewer.",
    )


class ContentsRequest(BaseModel):
    """Texts, and what counts as a detection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contents: Annotated[list[str], Field(min_length=1)] = Field(description="The texts.")
    detector_params: DetectorParameters = Field(
        default=DetectorParameters(), description="Absent: a label with a score of 0.5 or more."
    )


class Detection(BaseModel):
    """A label of a whole text."""

    start: Annotated[int, Field(description="Always 0: the model labels the whole text.")]
    end: Annotated[int, Field(description="Number of Unicode code points of the text.")]
    text: str
    detection: Annotated[
        Literal["single_label_classification", "multi_label_classification"],
        Field(description="The task of the model."),
    ]
    detection_type: Annotated[str, Field(description="The label.")]
    score: Annotated[float, Field(ge=0, le=1, description="The calibrated probability.")]


class ContentsResponse(RootModel[list[list[Detection]]]):
    """The detections of each text, likeliest first, in the order of the texts."""


class DetectorError(BaseModel):
    """An error in the shape that the orchestrator reads."""

    code: int
    message: str
