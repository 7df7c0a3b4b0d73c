"""``POST /v1/activations``: what units of the network do at each word, for a page to colour."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    find_scorer,
    name_failure,
    require_short,
    to_nested_json,
)
from valence.service.api.v1.schemas import ModelName
from valence.service.inference.scored import ScoreRequest, TotalUsage
from valence.service.inference.turns import Turns

_DEFAULT_UNITS = 24


class ActivationsRequest(BaseModel):
    """A text, and the number of units to return."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: Annotated[str, Field(description="The text to read.")]
    model: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            description="The model, as `name`, `name:version` or `name@alias`. Absent or null: "
            "the default model.",
        ),
    ] = None
    units: Annotated[
        int,
        Field(ge=1, le=1024, description="The number of units to return, the most telling first."),
    ] = _DEFAULT_UNITS


class ReadToken(BaseModel):
    """A token that the model read: `text[start:end]`, in code points."""

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    unknown: Annotated[bool, Field(description="Whether the token is outside the vocabulary.")]


class Unit(BaseModel):
    """One unit of the last recurrent layer."""

    direction: Annotated[str, Field(description="`forward` or `backward`.")]
    unit: Annotated[int, Field(ge=0, description="The index of the unit in its direction.")]
    telling: Annotated[
        float,
        Field(
            ge=0,
            description="How telling the unit is: the range of its output weights over the labels, "
            "times the standard deviation of its activation over this text.",
        ),
    ]
    activations: Annotated[
        list[Annotated[float, Field(ge=-1, le=1)]],
        Field(description="The hidden state of the unit after each token, in reading direction."),
    ]


class ActivationsResponse(BaseModel):
    """The tokens that the model read, and the activations of units at each token."""

    model: ModelName
    tokens: list[ReadToken]
    units: list[Unit]


async def show(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v1/activations``."""
    asked = await request.json(ActivationsRequest)
    require_short(asked.text, context.settings, field="text")
    scorer = find_scorer(context, request, asked.model)
    score_request = ScoreRequest(
        (asked.text,),
        deadline=request.deadline(context.settings.request_timeout_seconds),
        disconnect=request.body.disconnect,
        hold=request.body.hold,
        charge=request.caller.charge_tokens,
    )
    try:
        request.caller.charge(1)
        activations = await scorer.activations(score_request, max_units=asked.units)
        # an ActivationsResponse as plain values: there may be a hundred thousand numbers
        answer = {
            "model": {"name": scorer.name, "version": scorer.version},
            "tokens": [
                {"start": token.start, "end": token.end, "unknown": unknown}
                for token, unknown in activations.tokens
            ],
            "units": [unit._asdict() for unit in activations.units],
        }
        content = await to_nested_json(answer, Turns(score_request.deadline))
    except BaseException as error:
        raise name_failure(error, request, scorer) from None
    return Outcome(
        Response(content),
        scorer.name,
        scorer.version,
        TotalUsage(texts=1, tokens=len(activations.tokens)),
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/activations",
        handler=show,
        operation=Operation(
            summary="Show the activations of the network at each word",
            description="The hidden state of the most telling units of the last recurrent layer "
            "after each token, forward and backward. The playground colours words by these values.",
            tag="activations",
            request=ActivationsRequest,
            request_examples={"two units": {"text": "I love it.", "units": 2}},
            response=ActivationsResponse,
            response_examples={
                "two units": {
                    "model": {"name": "sentiment", "version": "1"},
                    "tokens": [
                        {"start": 0, "end": 1, "unknown": False},
                        {"start": 2, "end": 6, "unknown": False},
                        {"start": 7, "end": 9, "unknown": False},
                        {"start": 9, "end": 10, "unknown": False},
                    ],
                    "units": [
                        {
                            "direction": "forward",
                            "unit": 17,
                            "telling": 0.25,
                            "activations": [0.0, 0.75, 0.625, 0.5],
                        },
                        {
                            "direction": "backward",
                            "unit": 3,
                            "telling": 0.125,
                            "activations": [-0.5, -0.5, 0.0, 0.125],
                        },
                    ],
                }
            },
            errors=tuple(e for e in SCORING_ERRORS if e is not errors.TextTooLong),
        ),
    ),
)
