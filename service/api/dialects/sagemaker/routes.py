"""The routes of Amazon SageMaker's containers: ``GET /ping`` and ``POST /invocations``.

JSON bodies are those of Hugging Face's dialect. Batch transform splits files into JSON lines or
CSV; the answer to these has one line per line, so that batch transform can join it to its input.
"""

from __future__ import annotations

import re
import time

from pydantic import RootModel
from valence.service import errors
from valence.service.api.dialects.huggingface.predict import (
    build_compute_headers,
    rank_labels,
    score_inputs,
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
from valence.service.api.dialects.sagemaker import answers, records
from valence.service.api.dialects.sagemaker.answers import CSV, JSON, LINES
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import find_scorer, score_texts
from valence.service.errors import UnsupportedMedia
from valence.service.inference.scored import ScoreRequest

_HEADER_PARAMETER = re.compile(r";\s*header\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_HEADERS = {"present": True, "absent": False}


class PredictedLine(RootModel[list[PredictedLabel]]):
    """The labels of one line with their scores, likeliest first."""


async def invoke(context: Context, request: Request) -> Outcome:
    """Answer ``POST /invocations``."""
    started = time.perf_counter()
    media_type = request.require_media(*answers.MEDIA_TYPES)
    answer_type = answers.choose_media(
        request.headers.get(b"accept", b""), default=JSON if media_type == JSON else LINES
    )
    has_header = True
    if media_type == JSON:
        scorer, scored, rows, is_one_text = await score_inputs(context, request)
        if is_one_text and answer_type == JSON:
            (rows,) = rows
    else:
        header = _read_header_parameter(request) if media_type == CSV else None
        body = await request.body.read()
        texts, _, has_header = (
            await records.read_csv(body, context.settings, header=header)
            if media_type == CSV
            else await records.read_json_lines(body, context.settings)
        )
        scorer = find_scorer(context, request)
        scored = await score_texts(context, request, ScoreRequest(texts), scorer)
        rows = await rank_labels(scorer, scored)
    content = await answers.encode(rows, answer_type, header=has_header)
    if answer_type == CSV:
        answer_type = f"{CSV}; header={'present' if has_header else 'absent'}"
    response = Response(
        content,
        media_type=answer_type,
        headers=build_compute_headers(scorer, scored, seconds=time.perf_counter() - started),
    )
    return Outcome.of(response, scorer, scored)


def _read_header_parameter(request: Request) -> bool | None:
    """The parameter ``header`` of the media type ``text/csv``, as RFC 4180 defines it."""
    given = request.headers.get(b"content-type", b"").decode("latin-1")
    match = _HEADER_PARAMETER.search(given)
    if match is None:
        return None
    if match[1].lower() not in _HEADERS:
        raise UnsupportedMedia(
            "the parameter header of text/csv must be present or absent; leave it out if a header "
            f"has a column {records.TEXT_COLUMN}"
        )
    return _HEADERS[match[1].lower()]


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
            "to CSV, has one line per line. CSV has one column, the text, or a header with a "
            "column `inputs`; `header=present` and `header=absent` in the media type say which. "
            "The header Accept chooses the media type of the answer. An answer in CSV has the "
            "likeliest label and its score, below a header if the request has one. Lines are "
            "counted from 1 in errors, and blank lines do not get an answer.",
            tag="sagemaker",
            request=PredictRequest,
            request_examples=PREDICT_EXAMPLES,
            other_requests={
                LINES: '{"inputs": "I love it."}\n{"inputs": "It broke."}\n',
                CSV: '"I love it, really."\nIt broke.\n',
            },
            response=PredictResponse,
            response_examples=PREDICTED,
            other_responses={
                LINES: [{"score": 0.9375, "label": "positive"}],
                CSV: "positive,0.9375\nnegative,0.75\n",
            },
            response_line=PredictedLine,
            errors=(
                *(error for error in SCORING_ERRORS if error is not errors.UnknownModel),
                errors.NotAcceptable,
            ),
            error=PredictError,
        ),
    ),
)
