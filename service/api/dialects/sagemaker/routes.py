"""The contract of Amazon SageMaker for containers: ``GET /ping`` and ``POST /invocations``.

JSON bodies are those of Hugging Face's dialect. Batch transform splits files into JSON lines or
CSV; the answer to these has one line per line, so that batch transform can join it to its input.
"""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, RootModel
from valence.service import errors
from valence.service.api.dialects.huggingface.predict import (
    build_compute_headers,
    predict,
    rank_labels,
)
from valence.service.api.dialects.huggingface.routes import (
    PREDICT_EXAMPLES,
    PREDICTED,
    check_health,
    refuse,
)
from valence.service.api.dialects.huggingface.schemas import (
    PredictedLabel,
    PredictError,
    PredictRequest,
    PredictResponse,
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
    """The labels of one line with their scores, likeliest first."""


async def invoke(context: Context, request: Request) -> Outcome:
    """Answer ``POST /invocations``."""
    started = time.perf_counter()
    media_type = request.require_media(_JSON, _LINES, _CSV)
    if media_type == _JSON:
        return await predict(context, request)
    body = await request.body.read()
    texts = (_read_csv if media_type == _CSV else _read_json_lines)(body, context.settings)
    if not texts:
        raise InvalidRequest.for_field("body", "the body is empty; send one text per line")
    require_within_limits(texts, context.settings, field="line")
    scorer, scored = await score_texts(context, request, ScoreRequest(texts))
    rows: list[Any] = await rank_labels(scorer, scored)
    response = Response(
        b"".join(pydantic_core.to_json(row) + b"\n" for row in rows),
        media_type=_LINES,
        headers=build_compute_headers(scorer, scored, seconds=time.perf_counter() - started),
    )
    return Outcome.of(response, scorer, scored)


def _read_json_lines(body: bytes, settings: Settings) -> list[str]:
    # only a line feed ends a line, because a text may have any other separator
    lines = body.removesuffix(b"\n").split(b"\n") if body else []
    require_few(lines, settings, field="line")
    texts = []
    for index, line in enumerate(lines):
        try:
            texts.append(parse(Line, line).inputs)
        except MalformedBody as error:
            raise MalformedBody(f"line {index}: {error}") from None
        except InvalidRequest as error:
            raise InvalidRequest.for_field(f"line.{index}", str(error)) from None
    return texts


def _read_csv(body: bytes, settings: Settings) -> list[str]:
    try:
        rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    except UnicodeDecodeError:
        raise MalformedBody("the body is not UTF-8") from None
    except csv.Error as error:
        raise MalformedBody(f"the body is not CSV: {error}") from None
    require_few(rows, settings, field="line")
    for index, row in enumerate(rows):
        if len(row) != 1:
            raise InvalidRequest.for_field(
                f"line.{index}",
                f"{len(row)} columns, there must be one, the text; put a text with commas in "
                "quotes",
            )
    return [text for (text,) in rows]


ROUTES = (
    Route(
        method="GET",
        path="/ping",
        handler=check_health,
        refuse=refuse,
        logged=False,
        open=True,
        operation=Operation(
            summary="Are the models loaded and warm?",
            description="For SageMaker. The answer is empty if they are. Otherwise the status is "
            "503.",
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
            summary="Classify for SageMaker",
            description="JSON bodies as for /predict. The answer to JSON lines with `inputs`, or "
            "to CSV with one column and without a header, has one line per line.",
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
