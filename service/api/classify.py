"""``POST /v1/classify``: Valence's own dialect."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service import errors
from service.api.http import Request, Response, readable
from service.api.routes import Context, Operation, Route
from service.api.scoring import require_short, require_within_limits, score
from service.inference.scorer import Scored, Scorer
from service.settings import Settings

# Building an answer holds the event loop; a large one lets others have a turn after as many texts
# as take about a third of a millisecond.
_TURN_TEXTS = 128


def _absent(schema: dict[str, Any]) -> None:
    """Leave out of the published schema a default that only stands for an option not given."""
    schema.pop("default", None)


class ClassifyRequest(BaseModel):
    """One text or several, exactly one of ``text`` and ``texts``."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["texts"]}]},
    )

    # the defaults mean "absent"; they cannot be sent
    text: str = Field(default="", description="a text to classify", json_schema_extra=_absent)
    texts: list[str] = Field(
        default_factory=list,
        min_length=1,
        description="texts to classify",
        json_schema_extra=_absent,
    )
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
    truncated: Annotated[bool, Field(description="whether tokens were left out at the end")]


class Result(BaseModel):
    """The answer for one text."""

    label: Annotated[str, Field(description="the likeliest")]
    labels: Annotated[
        list[str],
        Field(
            description="the label alone; of a multi-label model all those at or past their "
            "threshold, in the order of the model's labels, possibly none"
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
    usage: TextUsage


class TotalUsage(BaseModel):
    """What was read of all the request's texts."""

    texts: Annotated[int, Field(ge=1)]
    characters: Annotated[int, Field(ge=0)]
    tokens: Annotated[int, Field(ge=0)]
    tokens_used: Annotated[int, Field(ge=0)]
    unknown_tokens: Annotated[int, Field(ge=0)]
    truncated_texts: Annotated[int, Field(ge=0)]


class ClassifyResponse(BaseModel):
    """The same shape for one text and for many: a result for each, in order."""

    model: ModelName
    results: Annotated[list[Result], Field(min_length=1)]
    usage: TotalUsage


async def classify(context: Context, request: Request) -> Response:
    """Answer ``POST /v1/classify``."""
    asked = await request.json(ClassifyRequest)
    texts = _texts(asked, context.settings)
    scorer, scored = await score(context, request, texts, model=asked.model or None)
    return Response(pydantic_core.to_json(await _content(scorer, scored, top_k=asked.top_k)))


async def classify_in_process(context: Context, fields: dict[str, object]) -> dict[str, Any]:
    """What ``POST /v1/classify`` answers to the JSON object ``fields``, without HTTP."""
    try:
        asked = ClassifyRequest.model_validate(fields)
    except ValidationError as error:
        raise readable(error) from None
    scorer = context.models.get(asked.model or None)
    scored = await scorer.score(
        _texts(asked, context.settings), timeout_seconds=context.settings.request_timeout_seconds
    )
    return await _content(scorer, scored, top_k=asked.top_k)


def _texts(asked: ClassifyRequest, settings: Settings) -> list[str]:
    """The texts asked for, if there are no more and no longer ones than the settings allow."""
    given = asked.model_fields_set
    one = "text" in given
    if one is ("texts" in given):
        message = "give exactly one of text and texts"
        raise errors.InvalidRequest(message, (("body", message),))
    if one:
        require_short(asked.text, settings, field="text")
        return [asked.text]
    require_within_limits(asked.texts, settings, field="texts")
    return asked.texts


async def _content(scorer: Scorer, scored: Scored, *, top_k: int) -> dict[str, Any]:
    """A :class:`ClassifyResponse` as plain values: building the model would cost more than JSON."""
    labels, places = scorer.manifest.labels, range(len(scorer.manifest.labels))
    results = []
    for (label, probabilities, polarity, given), usage in zip(
        scored.predictions, scored.usages, strict=True
    ):
        # reversed, a tie still keeps the order of the labels, as the predicted label does
        ranked = sorted(places, key=probabilities.__getitem__, reverse=True)
        results.append(
            {
                "label": label,
                "labels": list(given),
                "scores": [
                    {"label": labels[place], "score": probabilities[place]}
                    for place in (ranked[:top_k] if top_k else ranked)
                ],
                "polarity": polarity,
                "usage": {
                    "characters": usage.characters,
                    "tokens": usage.tokens,
                    "tokens_used": usage.tokens_used,
                    "unknown_tokens": usage.unknown_tokens,
                    "truncated": usage.truncated,
                },
            }
        )
        if not len(results) % _TURN_TEXTS:
            await asyncio.sleep(0)
    total = scored.usage
    return {
        "model": {"name": scorer.name, "version": scorer.version},
        "results": results,
        "usage": {
            "texts": total.texts,
            "characters": total.characters,
            "tokens": total.tokens,
            "tokens_used": total.tokens_used,
            "unknown_tokens": total.unknown_tokens,
            "truncated_texts": total.truncated_texts,
        },
    }


ROUTES = (
    Route(
        method="POST",
        path="/v1/classify",
        handler=classify,
        operation=Operation(
            summary="Classify texts",
            description="Labels each text, with a calibrated probability for every label, and says "
            "what was read of it.",
            tag="classify",
            request=ClassifyRequest,
            request_examples={
                "one text": {"text": "I love this little thing!"},
                "several texts": {"texts": ["I love it.", "It broke."], "top_k": 1},
                "another model": {"text": "The match ended in a draw.", "model": "topic"},
            },
            response=ClassifyResponse,
            response_example={
                "model": {"name": "sentiment", "version": "1"},
                "results": [
                    {
                        "label": "positive",
                        "labels": ["positive"],
                        "scores": [
                            {"label": "positive", "score": 0.9375},
                            {"label": "neutral", "score": 0.046875},
                            {"label": "negative", "score": 0.015625},
                        ],
                        "polarity": 0.921875,
                        "usage": {
                            "characters": 25,
                            "tokens": 6,
                            "tokens_used": 6,
                            "unknown_tokens": 0,
                            "truncated": False,
                        },
                    }
                ],
                "usage": {
                    "texts": 1,
                    "characters": 25,
                    "tokens": 6,
                    "tokens_used": 6,
                    "unknown_tokens": 0,
                    "truncated_texts": 0,
                },
            },
            errors=(
                errors.MalformedBody,
                errors.UnknownModel,
                errors.BodyTooLarge,
                errors.UnsupportedMedia,
                errors.InvalidRequest,
                errors.Overloaded,
                errors.Unavailable,
                errors.DeadlineExceeded,
            ),
        ),
    ),
)
