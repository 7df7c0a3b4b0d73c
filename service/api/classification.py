"""The schemas of Valence's own dialect: what is asked about texts, and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from valence.service.classifier.result import UNCERTAIN
from valence.service.classifier.truncation import Truncation

MAX_ID_CHARACTERS = 128
MAX_EXPLAINED_TEXTS = 32
"""Explaining a text costs several times what scoring it does."""

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


def _absent(schema: dict[str, Any]) -> None:
    """Leave out of the published schema a default that only stands for an option not given."""
    schema.pop("default", None)


class Options(BaseModel):
    """What may be asked about any text, whichever way it comes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # where _absent is, the default means "absent" and cannot be sent
    model: str = Field(
        default="",
        min_length=1,
        max_length=128,
        description="`name` or `name:version`; the default model if absent",
        json_schema_extra=_absent,
    )
    top_k: int = Field(
        default=0,
        ge=1,
        description="scores of only the k likeliest labels",
        json_schema_extra=_absent,
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description=f"where no label's score reaches it, the label is `{UNCERTAIN}`; scores stay",
    )
    truncation: Truncation = Field(
        default="head",
        description="which tokens are read of a text that has more than the model's `max_tokens`: "
        "the first, the last, the first and last half of as many, or all, in overlapping windows "
        "of `max_tokens` whose probabilities are averaged, each weighted by the tokens it is first "
        "to read; or such a text is an error",
    )
    granularity: Literal["document", "sentence"] = Field(
        default="document",
        description="`sentence`: each sentence of a text is judged too, beside the whole text",
    )
    explain: bool = Field(
        default=False,
        description="say what each token added to the logit of the likeliest label; for at most "
        f"{MAX_EXPLAINED_TEXTS} texts a request",
    )


class ClassifyRequest(Options):
    """One text or several, exactly one of ``text`` and ``texts``."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["text"], "properties": {"ids": False}},
                {"required": ["texts"], "properties": {"id": False}},
            ]
        },
    )

    text: str = Field(default="", description="a text to classify", json_schema_extra=_absent)
    texts: list[str] = Field(
        default_factory=list,
        min_length=1,
        description="texts to classify",
        json_schema_extra=_absent,
    )
    id: Id = Field(
        default="",
        description="your name for `text`; comes back with its result",
        json_schema_extra=_absent,
    )
    ids: list[Id] = Field(
        default_factory=list,
        min_length=1,
        description="your names for `texts`, as many, in their order",
        json_schema_extra=_absent,
    )


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str


class LabelScore(BaseModel):
    """A label and its calibrated probability."""

    label: str
    score: Annotated[float, Field(ge=0, le=1)]


class TextUsage(BaseModel):
    """What was read of one text, and what was not."""

    characters: Annotated[int, Field(ge=0, description="code points")]
    tokens: Annotated[int, Field(ge=0)]
    tokens_used: Annotated[int, Field(ge=0, description="those the model read")]
    unknown_tokens: Annotated[int, Field(ge=0, description="read, but not in the vocabulary")]
    truncated: Annotated[bool, Field(description="whether tokens were left out")]
    windows: Annotated[
        int, Field(ge=1, description="in how many pieces it was read; 1 but for `window`")
    ]


class Judgement(BaseModel):
    """What is said about one text."""

    label: Annotated[
        str, Field(description=f"the likeliest, or `{UNCERTAIN}` (see `min_confidence`)")
    ]
    labels: Annotated[
        list[str],
        Field(
            description="the label alone; of a multi-label model all those at or past their "
            "threshold, in the order of the model's labels, possibly none; none when uncertain"
        ),
    ]
    scores: Annotated[
        list[LabelScore],
        Field(
            min_length=1,
            description="likeliest first; all labels, or `top_k`. They sum to 1, but for a "
            "multi-label model, where each is a label's own probability",
        ),
    ]
    polarity: Annotated[
        Annotated[float, Field(ge=-1, le=1)] | None,
        Field(description="from -1 to 1 where labels are a sentiment, else null"),
    ]


class SentenceResult(Judgement):
    """What is said about one sentence, as if it were the whole text."""

    start: Annotated[int, Field(ge=0, description="in code points of the text")]
    end: Annotated[int, Field(ge=1, description="in code points of the text; not included")]
    truncated: Annotated[bool, Field(description="whether tokens of it were left out")]


class TokenContribution(BaseModel):
    """What one token of a text added to a label's logit."""

    start: Annotated[int, Field(ge=0, description="in code points of the text")]
    end: Annotated[int, Field(ge=1, description="in code points of the text; not included")]
    contribution: float
    unknown: Annotated[
        bool,
        Field(
            description="whether the model does not know the word; a misspelled one may add what "
            "the word does that it is read as"
        ),
    ]
    truncated: Annotated[bool, Field(description="whether it was not read; it adds 0 then")]


class Explanation(BaseModel):
    """Why a text got its label: every token's contribution, in the order of the text.

    Of the network in full precision, compared with a text of as many unknown words; of a text read
    in several windows, the windows' means.
    """

    label: Annotated[str, Field(description="the likeliest label, also where it is uncertain")]
    logit: float
    baseline_logit: Annotated[float, Field(description="that of as many unknown words")]
    sum: Annotated[
        float, Field(description="of the contributions; should be `logit` - `baseline_logit`")
    ]
    completeness_error: Annotated[
        float, Field(ge=0, description="by how much it is not, relative to that difference")
    ]
    tokens: list[TokenContribution]


class Result(Judgement):
    """The answer for one text."""

    id: Id = Field(default="", description="as given", json_schema_extra=_absent)
    usage: TextUsage
    explanation: Explanation | None = Field(
        default=None, description="only there for `explain`", json_schema_extra=_absent
    )
    sentences: list[SentenceResult] = Field(
        default_factory=list,
        description="only there for `granularity` `sentence`; in order, leaving out white space",
        json_schema_extra=_absent,
    )


class ItemError(BaseModel):
    """Why one of several texts has no result."""

    index: Annotated[int, Field(ge=0, description="its place among `texts`")]
    id: Id = Field(default="", description="as given", json_schema_extra=_absent)
    type: Annotated[str, Field(description="names the kind of error, as a problem's does")]
    title: str
    detail: Annotated[str, Field(description="what was wrong with the text, and the remedy")]


class TotalUsage(BaseModel):
    """What was read of all the texts that have a result."""

    texts: Annotated[int, Field(ge=1)]
    characters: Annotated[int, Field(ge=0)]
    tokens: Annotated[int, Field(ge=0)]
    tokens_used: Annotated[int, Field(ge=0)]
    unknown_tokens: Annotated[int, Field(ge=0)]
    truncated_texts: Annotated[int, Field(ge=0)]


class ClassifyResponse(BaseModel):
    """The same shape for one text and for many: a result for each, in order."""

    model: ModelName
    results: Annotated[
        list[Result | None], Field(min_length=1, description="null where `errors` says why")
    ]
    errors: list[ItemError] = Field(
        default_factory=list,
        min_length=1,
        description="only there when some of several texts have no result; when all have none, the "
        "whole request is refused",
        json_schema_extra=_absent,
    )
    usage: TotalUsage


class StreamLine(BaseModel):
    """A line to classify."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: str
    id: Id = Field(
        default="",
        description="your name for the line; comes back with its answer",
        json_schema_extra=_absent,
    )


class LineError(BaseModel):
    """Why a line has no result."""

    type: Annotated[str, Field(description="names the kind of error, as a problem's does")]
    title: str
    detail: Annotated[str, Field(description="what was wrong with the line, and the remedy")]


class StreamResult(Result):
    """The answer to a line."""

    line: Annotated[int, Field(ge=1, description="its number in the body, blank ones counted")]


class StreamRefusal(BaseModel):
    """The answer to a line that has no result; or, with `resume_from`, the end of the stream."""

    line: Annotated[int, Field(ge=1, description="its number in the body, blank ones counted")]
    id: Id = Field(default="", description="as given", json_schema_extra=_absent)
    error: LineError
    resume_from: int = Field(
        default=0,
        ge=1,
        description="only in a last line that says why the stream ended before its body did: the "
        "first line that was not answered",
        json_schema_extra=_absent,
    )


class StreamAnswer(RootModel[StreamResult | StreamRefusal]):
    """A line of the answer."""
