"""``POST /v1/classify``: Valence's own dialect."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    faults_of_length,
    find_scorer,
    name_failure,
    require_few,
    score_texts,
    to_json,
    to_nested_json,
)
from valence.service.api.http.validation import UNKNOWN_FIELD, readable
from valence.service.api.v1.answer import is_plain, refuse_texts, shape_answer, write_plain
from valence.service.api.v1.examples import CLASSIFIED
from valence.service.api.v1.schemas import (
    MAX_EXPLAINED_TEXTS,
    ClassifyRequest,
    ClassifyResponse,
)
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.turns import Turns
from valence.service.settings import Settings

_NONE_TOO_LONG: dict[int, str] = {}


async def classify(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v1/classify``."""
    try:
        asked = await request.json(ClassifyRequest)
    except errors.InvalidRequest as error:
        raise _explain_foreign_fields(error) from None
    texts = _texts(asked, context.settings)
    too_long = _require_short_texts(texts, asked, context.settings)
    scorer = find_scorer(context, request, asked.model)
    scored = await score_texts(context, request, _score_request(asked, texts, too_long), scorer)
    try:
        if not too_long and is_plain(asked, scored):
            content, prediction_id = await write_plain(context.issuer, asked, scorer, scored)
        else:
            answer = await shape_answer(context.issuer, asked, scorer, scored, too_long)
            prediction_id = answer["prediction_id"]
            content = (
                await to_nested_json(answer, Turns(scored.deadline))
                if asked.explain or asked.granularity == "sentence"
                else await to_json(answer)
            )
    except BaseException as error:
        raise name_failure(error, request, scorer) from None
    return Outcome.of(Response(content), scorer, scored, prediction_id)


# where the texts are in the requests of other servers that have a path /v1/classify
_FOREIGN_FIELDS = {
    "input": "POST /classify reads `input`",
    "inputs": "POST /predict and POST /classify read `inputs`",
    "contents": "POST /api/v1/text/contents reads `contents`",
}


def _explain_foreign_fields(error: errors.InvalidRequest) -> errors.InvalidRequest:
    """``error`` with the remedy for a request that is meant for another server."""
    for location, message in error.problems:
        if location in _FOREIGN_FIELDS and message == UNKNOWN_FIELD:
            return errors.InvalidRequest.for_field(
                location,
                "unknown field; send one text as `text` or several as `texts`, or call another "
                f"path: {_FOREIGN_FIELDS[location]}",
            )
    return error


async def classify_in_process(context: Context, fields: dict[str, object]) -> dict[str, Any]:
    """What ``POST /v1/classify`` answers to the JSON object ``fields``, without HTTP."""
    try:
        asked = ClassifyRequest.model_validate(fields)
    except ValidationError as error:
        raise readable(error) from None
    scorer = context.models.get(asked.model or None)
    deadline = time.perf_counter() + context.settings.request_timeout_seconds
    texts = _texts(asked, context.settings)
    too_long = _require_short_texts(texts, asked, context.settings)
    scored = await scorer.score(_score_request(asked, texts, too_long)._replace(deadline=deadline))
    answer = await shape_answer(context.issuer, asked, scorer, scored, too_long)
    for result in answer["results"]:
        if result and "explanation" in result:
            result["explanation"]["tokens"] = list(result["explanation"]["tokens"])
    return answer


def _require_short_texts(
    texts: Sequence[str], asked: ClassifyRequest, settings: Settings
) -> dict[int, str]:
    """The faults of the texts with too many characters; raises if no text is short enough."""
    if len(texts) == 1 and len(texts[0]) <= settings.max_characters:
        return _NONE_TOO_LONG
    too_long = faults_of_length(texts, settings)
    if len(too_long) == len(texts):
        raise refuse_texts(too_long, asked)
    return too_long


def _score_request(
    asked: ClassifyRequest, texts: Sequence[str], too_long: Mapping[int, str]
) -> ScoreRequest:
    """What is asked about ``texts`` but for those that are ``too_long``."""
    if too_long:
        texts = [text for index, text in enumerate(texts) if index not in too_long]
    sentences = asked.granularity == "sentence"
    return ScoreRequest(
        texts, asked.truncation, sentences, asked.explain, partial=True, scores=asked.top_k
    )


def _texts(asked: ClassifyRequest, settings: Settings) -> list[str]:
    """The texts asked for, if they are not too many, and named one by one or not at all."""
    given = asked.model_fields_set
    one = "text" in given
    if one is ("texts" in given):
        raise _invalid("body", "give exactly one of text and texts")
    if asked.explain and len(asked.texts) > MAX_EXPLAINED_TEXTS:
        raise errors.InvalidRequest.for_field(
            "explain",
            f"{len(asked.texts)} texts, a request with explain may have {MAX_EXPLAINED_TEXTS}; "
            "send several requests",
        )
    if one:
        if asked.ids:
            raise _invalid("ids", "ids is for texts; use id for text")
        return [asked.text]
    require_few(asked.texts, settings, field="texts")
    if asked.id:
        raise _invalid("id", "id is for text; use ids for texts")
    if asked.ids and len(asked.ids) != len(asked.texts):
        raise _invalid(
            "ids", f"{len(asked.ids)} ids for {len(asked.texts)} texts; give one per text"
        )
    return asked.texts


def _invalid(field: str, message: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(f"{field}: {message}", ((field, message),))


ROUTE = Route(
    method="POST",
    path="/v1/classify",
    handler=classify,
    operation=Operation(
        summary="Classify texts",
        description="Returns a label for each text, a calibrated probability for each label, and "
        "how much of the text the model read.",
        tag="classify",
        request=ClassifyRequest,
        request_examples={
            "one text": {"text": "I love this little thing!"},
            "several texts": {"texts": ["I love it.", "It broke."], "top_k": 1},
            "another model": {"text": "The match ended in a draw.", "model": "topic"},
            "only what is sure": {"text": "It is a thing.", "min_confidence": 0.8},
            "texts with names, none truncated": {
                "texts": ["I love this little thing!", "It broke."],
                "ids": ["review-17", "review-18"],
                "truncation": "error",
            },
            "and why": {"text": "I love this little thing!", "explain": True},
            "sentence by sentence": {
                "text": "I love this little thing! It broke.",
                "granularity": "sentence",
            },
            "a long text, all of it": {"text": "It rained, but ...", "truncation": "window"},
        },
        response=ClassifyResponse,
        response_examples=CLASSIFIED,
        errors=SCORING_ERRORS,
    ),
)
ROUTES = (ROUTE,)
