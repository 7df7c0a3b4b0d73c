"""Amazon SageMaker's contract for a container: ``GET /ping`` and ``POST /invocations``.

JSON is as of Hugging Face's dialect; JSON lines and CSV, which batch transform splits files into,
are answered line by line, so that it can join answers to its input.
"""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, RootModel
from valence.service import errors
from valence.service.api.dialects.huggingface import (
    PREDICT_EXAMPLES,
    PREDICTED,
    PredictedLabel,
    PredictError,
    PredictRequest,
    PredictResponse,
    compute_headers,
    health,
    label_scores,
    predict,
    refuse,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import require_few, require_within_limits, score_texts
from valence.service.api.http.validation import parse
from valence.service.errors import InvalidRequest, MalformedBody
from valence.service.inference.scored import ScoreRequest
from valence.service.settings import Settings

_JSON, _LINES, _CSV = "application/json", "application/jsonlines", "text/csv"


class Line(BaseModel):
    """One line of ``application/jsonlines``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    inputs: str


class PredictedLine(RootModel[list[PredictedLabel]]):
    """Labels of the text of one line, likeliest first."""


async def invoke(context: Context, request: Request) -> Outcome:
    """Answer ``POST /invocations``."""
    started = time.perf_counter()
    media_type = request.require_media(_JSON, _LINES, _CSV)
    if media_type == _JSON:
        return await predict(context, request)
    body = await request.body.read()
    texts = (_rows if media_type == _CSV else _lines)(body, context.settings)
    if not texts:
        raise InvalidRequest.of("body", "holds no text; send one a line")
    require_within_limits(texts, context.settings, field="line")
    scorer, scored = await score_texts(context, request, ScoreRequest(texts))
    rows: list[Any] = await label_scores(scorer, scored)
    response = Response(
        b"".join(pydantic_core.to_json(row) + b"\n" for row in rows),
        media_type=_LINES,
        headers=compute_headers(scorer, scored, seconds=time.perf_counter() - started),
    )
    return Outcome.of(response, scorer, scored)


def _lines(body: bytes, settings: Settings) -> list[str]:
    # only a line feed ends a line: a text may hold any other separator
    lines = body.removesuffix(b"\n").split(b"\n") if body else []
    require_few(lines, settings, field="line")
    texts = []
    for place, line in enumerate(lines):
        try:
            texts.append(parse(Line, line).inputs)
        except MalformedBody as error:
            raise MalformedBody(f"line {place}: {error}") from None
        except InvalidRequest as error:
            raise InvalidRequest.of(f"line.{place}", str(error)) from None
    return texts


def _rows(body: bytes, settings: Settings) -> list[str]:
    try:
        rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    except UnicodeDecodeError:
        raise MalformedBody("the body is not UTF-8") from None
    except csv.Error as error:
        raise MalformedBody(f"the body is not CSV: {error}") from None
    require_few(rows, settings, field="line")
    for place, row in enumerate(rows):
        if len(row) != 1:
            raise InvalidRequest.of(
                f"line.{place}",
                f"{len(row)} columns, there must be one, the text; quote a text that has commas",
            )
    return [text for (text,) in rows]


ROUTES = (
    Route(
        method="GET",
        path="/ping",
        handler=health,
        refuse=refuse,
        logged=False,
        open=True,
        operation=Operation(
            summary="Are the models loaded and warm?",
            description="For SageMaker; empty when they are.",
            tag="sagemaker",
            response="text/plain",
            errors=(errors.Unavailable,),
            error=PredictError,
        ),
    ),
    Route(
        method="POST",
        path="/invocations",
        handler=invoke,
        refuse=refuse,
        operation=Operation(
            summary="Classify, for SageMaker",
            description="JSON as of /predict. JSON lines of `inputs`, or CSV of one column without "
            "a header, are answered by a line for each.",
            tag="sagemaker",
            request=PredictRequest,
            request_examples=PREDICT_EXAMPLES,
            other_requests={
                _LINES: '{"inputs": "I love it."}\n{"inputs": "It broke."}\n',
                _CSV: '"I love it, really."\nIt broke.\n',
            },
            response=PredictResponse,
            response_examples=PREDICTED,
            other_responses={_LINES: [{"score": 0.9375, "label": "positive"}]},
            response_line=PredictedLine,
            errors=tuple(error for error in SCORING_ERRORS if error is not errors.UnknownModel),
            error=PredictError,
        ),
    ),
)
