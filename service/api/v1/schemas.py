"""The schemas of Valence's own dialect: requests and answers of ``/v1/classify``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from valence.service.classifier.result import (
    UNCERTAIN,
    MinConfidence,
    Reason,
    TopK,
    Unreadable,
)
from valence.service.classifier.truncation import Truncation

MAX_ID_CHARACTERS = 128
MAX_EXPLAINED_TEXTS = 32
"""Explaining a text costs several times as much as scoring the text."""

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


def _absent(schema: dict[str, Any]) -> None:
    """Remove the default from the published schema, if it only marks an option as not given."""
    schema.pop("default", None)


class Options(BaseModel):
    """The options of a request, the same for single texts, lists and streams."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # a default with _absent means "not given", and clients cannot send it
    model: str = Field(
        default="",
        min_length=1,
        max_length=128,
        description="The model, as `name`, `name:version` or `name@alias`. Absent: the default "
        "model.",
        json_schema_extra=_absent,
    )
    top_k: TopK = Field(
        default=0,
        description="Return only the scores of the k likeliest labels.",
        json_schema_extra=_absent,
    )
    min_confidence: MinConfidence = Field(
        default=0.0,
        description="If the score of every label is lower than this, the label is "
        f"`{UNCERTAIN}`. The scores stay.",
    )
    unreadable: Unreadable = Field(
        default="uncertain",
        description="What a text gets that the model cannot judge: it knows no token of the text, "
        "such as of an empty text, or the text belongs to none of the labels (see `outside`). "
        f"`uncertain`: the label `{UNCERTAIN}`. `label`: the likeliest label. The scores stay.",
    )
    truncation: Truncation = Field(
        default="head",
        description="Which tokens the model reads of a text that has more than `max_tokens` "
        "tokens. `head`: the first `max_tokens`. `tail`: the last. `head_tail`: half of "
        "`max_tokens` from each end. `window`: all tokens, in overlapping windows of `max_tokens`; "
        "the result is the average of the windows' probabilities, each weighted by the number of "
        "tokens that the window is the first to read. `error`: none, such a text is an error.",
    )
    granularity: Literal["document", "sentence"] = Field(
        default="document",
        description="`sentence`: label each sentence of a text too, besides the whole text.",
    )
    explain: bool = Field(
        default=False,
        description="Return what each token added to the logit of the likeliest label. A request "
        f"with this option may have at most {MAX_EXPLAINED_TEXTS} texts.",
    )


class ClassifyRequest(Options):
    """One text or several. A request has exactly one of ``text`` and ``texts``."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["text"], "properties": {"ids": False}},
                {"required": ["texts"], "properties": {"id": False}},
            ]
        },
    )

    text: str = Field(default="", description="The text to classify.", json_schema_extra=_absent)
    texts: list[str] = Field(
        default_factory=list,
        min_length=1,
        description="The texts to classify.",
        json_schema_extra=_absent,
    )
    id: Id = Field(
        default="",
        description="Your name for `text`. It is returned with the result.",
        json_schema_extra=_absent,
    )
    ids: list[Id] = Field(
        default_factory=list,
        min_length=1,
        description="Your names for `texts`: one name per text, in the order of the texts.",
        json_schema_extra=_absent,
    )


class ModelName(BaseModel):
    """The model that answered."""

    name: str
    version: str


class LabelScore(BaseModel):
    """A label and its calibrated probability."""

    label: str
    score: Annotated[float, Field(ge=0, le=1)]


class TextUsage(BaseModel):
    """How much of one text the model read."""

    characters: Annotated[int, Field(ge=0, description="Number of Unicode code points.")]
    tokens: Annotated[int, Field(ge=0)]
    tokens_used: Annotated[int, Field(ge=0, description="Number of tokens that the model read.")]
    unknown_tokens: Annotated[
        int, Field(ge=0, description="Number of read tokens outside the vocabulary.")
    ]
    truncated: Annotated[bool, Field(description="Whether the model left out tokens of the text.")]
    windows: Annotated[
        int, Field(ge=1, description="Number of windows the text was read in; 1 unless `window`.")
    ]


class Judgement(BaseModel):
    """The labels and scores of one text."""

    label: Annotated[
        str, Field(description=f"The likeliest label, or `{UNCERTAIN}` (see `reason`).")
    ]
    reason: Reason = Field(
        default="empty",
        description=f"Only present if the label is `{UNCERTAIN}`. `empty`: the text has no token. "
        "`unknown_words`: the model knows no token that it reads of the text, as written or as a "
        "misspelling (see `unreadable`). `outside`: the text probably belongs to none of the "
        "labels. `min_confidence`: no score reaches `min_confidence`.",
        json_schema_extra=_absent,
    )
    labels: Annotated[
        list[str],
        Field(
            description="The label alone. Of a multi-label model: all labels that reach their "
            "threshold, in the order of the model's labels, possibly none. Empty if the label is "
            f"`{UNCERTAIN}`."
        ),
    ]
    scores: Annotated[
        list[LabelScore],
        Field(
            min_length=1,
            description="The scores of all labels, or of `top_k` labels, likeliest first. The "
            "scores of all labels sum to 1, except those of a multi-label model, where each score "
            "is the probability of that label alone.",
        ),
    ]
    polarity: Annotated[
        Annotated[float, Field(ge=-1, le=1)] | None,
        Field(description="From -1 to 1 if the labels are a sentiment, otherwise null."),
    ]
    outside: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Only present for a model that tells: the probability that the text belongs to "
        "none of the labels, calibrated on texts of which one half does. The scores do not depend "
        "on it. From the `threshold` of the model's card on, the label is "
        f"`{UNCERTAIN}` (see `unreadable`).",
        json_schema_extra=_absent,
    )


class SentenceResult(Judgement):
    """The labels and scores of one sentence, scored as if it were the whole text."""

    start: Annotated[int, Field(ge=0, description="Offset in code points of the text.")]
    end: Annotated[int, Field(ge=1, description="Offset after the last code point.")]
    truncated: Annotated[
        bool, Field(description="Whether the model left out tokens of the sentence.")
    ]


class TokenContribution(BaseModel):
    """The amount that one token of a text added to the logit of a label."""

    start: Annotated[int, Field(ge=0, description="Offset in code points of the text.")]
    end: Annotated[int, Field(ge=1, description="Offset after the last code point.")]
    contribution: float
    unknown: Annotated[
        bool,
        Field(
            description="Whether the word is outside the vocabulary. A misspelled word may "
            "contribute as the known word that it is read as."
        ),
    ]
    truncated: Annotated[
        bool, Field(description="Whether the model left the token out. It adds 0 then.")
    ]


class Explanation(BaseModel):
    """Why a text got its label: the contribution of each token, in the order of the text.

    The contributions are those of the network in full precision, compared with a baseline text of
    as many unknown words. For a text that was read in several windows they are means of the
    windows' contributions.
    """

    label: Annotated[
        str, Field(description="The likeliest label, even if the result is uncertain.")
    ]
    logit: float
    baseline_logit: Annotated[float, Field(description="The logit of as many unknown words.")]
    sum: Annotated[
        float,
        Field(description="Sum of the contributions. Ideally it is `logit` - `baseline_logit`."),
    ]
    completeness_error: Annotated[
        float,
        Field(
            ge=0,
            description="Difference between `sum` and `logit` - `baseline_logit`, relative to the "
            "latter.",
        ),
    ]
    tokens: list[TokenContribution]


class Result(Judgement):
    """The answer for one text."""

    id: Id = Field(
        default="", description="The id that the request gave.", json_schema_extra=_absent
    )
    usage: TextUsage
    explanation: Explanation | None = Field(
        default=None, description="Only present with `explain`.", json_schema_extra=_absent
    )
    sentences: list[SentenceResult] = Field(
        default_factory=list,
        description="Only present with `granularity` `sentence`. The sentences in order, without "
        "the white space around them.",
        json_schema_extra=_absent,
    )


class ItemError(BaseModel):
    """Why one of several texts does not have a result."""

    index: Annotated[int, Field(ge=0, description="The index of the text in `texts`.")]
    id: Id = Field(
        default="", description="The id that the request gave.", json_schema_extra=_absent
    )
    type: Annotated[str, Field(description="Stable name of the kind of error, as in a `Problem`.")]
    title: str
    detail: Annotated[str, Field(description="What was wrong with the text, and the remedy.")]


class TotalUsage(BaseModel):
    """How much the model read of all texts that have a result."""

    texts: Annotated[int, Field(ge=1)]
    characters: Annotated[int, Field(ge=0)]
    tokens: Annotated[int, Field(ge=0)]
    tokens_used: Annotated[int, Field(ge=0)]
    unknown_tokens: Annotated[int, Field(ge=0)]
    truncated_texts: Annotated[int, Field(ge=0)]


class ClassifyResponse(BaseModel):
    """One result for each text, in order. The shape is the same for one text and for many."""

    model: ModelName
    prediction_id: str = Field(
        default="",
        description="The id of this answer, for `POST /v1/feedback`; the header `X-Prediction-ID` "
        "has it too. It names the model, the version, the time, and for one text the label and its "
        "score; treat it as opaque. The id of text N of several texts is this id with `.N` after "
        "it, counted from 0.",
        json_schema_extra=_absent,
    )
    results: Annotated[
        list[Result | None],
        Field(
            min_length=1, description="The result of each text, or null if `errors` has the text."
        ),
    ]
    errors: list[ItemError] = Field(
        default_factory=list,
        min_length=1,
        description="Only present if some of several texts do not have a result. If no text has a "
        "result, the whole request is refused.",
        json_schema_extra=_absent,
    )
    usage: TotalUsage


class StreamLine(BaseModel):
    """A line of a stream: the text to classify."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: str
    id: Id = Field(
        default="",
        description="Your name for the line. It is returned with the answer.",
        json_schema_extra=_absent,
    )


class LineError(BaseModel):
    """Why a line does not have a result."""

    type: Annotated[str, Field(description="Stable name of the kind of error, as in a `Problem`.")]
    title: str
    detail: Annotated[str, Field(description="What was wrong with the line, and the remedy.")]


class StreamResult(Result):
    """The result of a line."""

    line: Annotated[
        int, Field(ge=1, description="The number of the line in the body. Blank lines count.")
    ]
    model: Annotated[
        ModelName,
        Field(description="What answered this line: later lines may have a newer version."),
    ]
    prediction_id: str = Field(
        default="",
        description="Only present if another version answered this line than the header "
        "`X-Prediction-ID` names: the id of this line. The id of any other line is the header with "
        "`.N` after it, the number of the line.",
        json_schema_extra=_absent,
    )


class StreamRefusal(BaseModel):
    """The error of a line; or, with `resume_from`, the reason why the stream ended."""

    line: Annotated[
        int, Field(ge=1, description="The number of the line in the body. Blank lines count.")
    ]
    id: Id = Field(
        default="", description="The id that the request gave.", json_schema_extra=_absent
    )
    error: LineError
    resume_from: int = Field(
        default=0,
        ge=1,
        description="Only present in the last line of a stream that ended before its body did: the "
        "number of the first line without an answer.",
        json_schema_extra=_absent,
    )


class StreamAnswer(RootModel[StreamResult | StreamRefusal]):
    """A line of the answer: a result or an error."""
