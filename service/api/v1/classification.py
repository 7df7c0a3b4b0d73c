"""``POST /v1/classify``: Valence's own dialect."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import KINDS
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    TURN_TEXTS,
    faults_of_length,
    find_scorer,
    issue_id,
    name_failure,
    require_few,
    score_texts,
    to_json,
    to_nested_json,
)
from valence.service.api.http.validation import MAX_FAULTS, UNKNOWN_FIELD, readable
from valence.service.api.v1.examples import CLASSIFIED
from valence.service.api.v1.schemas import (
    MAX_EXPLAINED_TEXTS,
    ClassifyRequest,
    ClassifyResponse,
    Options,
)
from valence.service.classifier.result import format_judgement, format_result
from valence.service.feedback.prediction_id import Issuer
from valence.service.inference.scored import Answer, Scored, ScoreRequest, Sentence
from valence.service.inference.scorer import Scorer
from valence.service.inference.turns import Turns
from valence.service.settings import Settings

_TEXT_TOO_LONG = {
    "type": KINDS[errors.TextTooLong].uri,
    "title": KINDS[errors.TextTooLong].title,
}


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
        answer = await _answer(context.issuer, asked, scorer, scored, too_long)
        content = (
            await to_nested_json(answer, Turns(scored.deadline))
            if asked.explain or asked.granularity == "sentence"
            else await to_json(answer)
        )
    except BaseException as error:
        raise name_failure(error, request, scorer) from None
    return Outcome.of(Response(content), scorer, scored, answer["prediction_id"])


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
    answer = await _answer(context.issuer, asked, scorer, scored, too_long)
    for result in answer["results"]:
        if result and "explanation" in result:
            result["explanation"]["tokens"] = list(result["explanation"]["tokens"])
    return answer


def _require_short_texts(
    texts: Sequence[str], asked: ClassifyRequest, settings: Settings
) -> dict[int, str]:
    """The faults of the texts with too many characters; raises if no text is short enough."""
    too_long = faults_of_length(texts, settings)
    if len(too_long) == len(texts):
        raise _refusal(too_long, asked)
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


async def _answer(
    issuer: Issuer,
    asked: ClassifyRequest,
    scorer: Scorer,
    scored: Scored,
    too_long: Mapping[int, str],
) -> dict[str, Any]:
    """A :class:`ClassifyResponse` as plain values: building the model would cost more than JSON.

    A text that cannot be scored costs the others nothing. If none can be scored, the request is
    refused.
    """
    answers: Sequence[Answer | errors.TextTooLong | str] = scored.answers
    if too_long:
        others = iter(answers)
        count = len(answers) + len(too_long)
        answers = [too_long[i] if i in too_long else next(others) for i in range(count)]
    if not scored.usage.texts:
        raise _refusal({index: str(fault) for index, fault in enumerate(answers)}, asked)
    ids = asked.ids or ([asked.id] if asked.id else [])
    labels, top_k, min_confidence = scorer.manifest.labels, asked.top_k, asked.min_confidence
    unreadable = asked.unreadable
    explanations, sentences = iter(scored.explanations), iter(scored.sentences)
    results: list[dict[str, Any] | None] = []
    faults: list[dict[str, Any]] = []
    uncertain = written = 0
    turns = None
    for index, answer in enumerate(answers):
        name = {"id": ids[index]} if ids else {}
        if not isinstance(answer, tuple):
            results.append(None)
            faults.append({"index": index, **name, **_TEXT_TOO_LONG, "detail": str(answer)})
            continue
        shaped = format_result(
            labels,
            *answer,
            top_k=top_k,
            min_confidence=min_confidence,
            unreadable=unreadable,
        )
        uncertain += "reason" in shaped
        if asked.explain:
            shaped["explanation"] = next(explanations)._asdict()
        if asked.granularity == "sentence":
            turns = turns or Turns(scored.deadline)
            shaped["sentences"] = await _shape_sentences(scorer, next(sentences), asked, turns)
            written += len(shaped["sentences"])
        results.append(name | shaped if ids else shaped)
        written += 1
        if written >= TURN_TEXTS:
            written = 0
            turns = turns or Turns(scored.deadline)
            await turns.give()
    if uncertain:
        scorer.count_uncertain(uncertain)
    prediction_id = (
        issuer.issue_several(scorer.name, scorer.version, len(results))
        if faults
        else issue_id(issuer, scorer.name, scorer.version, scored.answers)
    )
    return _envelope(scorer, scored, results, faults, prediction_id)


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


def _refusal(faults: Mapping[int, str], asked: ClassifyRequest) -> errors.InvalidRequest:
    """The error of a request of which no text can be scored; ``faults`` are by index."""
    alone = "text" in asked.model_fields_set
    problems = tuple(
        ("text" if alone else f"texts.{index}", message) for index, message in faults.items()
    )[:MAX_FAULTS]
    return errors.InvalidRequest(": ".join(problems[0]), problems)


async def _shape_sentences(
    scorer: Scorer, sentences: Sequence[Sentence], asked: Options, turns: Turns
) -> list[Any]:
    """The sentences of a text as plain values."""
    shaped: list[Any] = []
    for sentence in sentences:
        shaped.append(
            {
                "start": sentence.start,
                "end": sentence.end,
                **format_judgement(
                    scorer.manifest.labels,
                    sentence.prediction,
                    sentence.usage,
                    top_k=asked.top_k,
                    min_confidence=asked.min_confidence,
                    unreadable=asked.unreadable,
                ),
                "truncated": sentence.usage.truncated,
            }
        )
        if not len(shaped) % TURN_TEXTS:
            await turns.give()
    return shaped


def _envelope(
    scorer: Scorer,
    scored: Scored,
    results: Sequence[dict[str, Any] | None],
    faults: Sequence[dict[str, Any]],
    prediction_id: str,
) -> dict[str, Any]:
    total = scored.usage
    return {
        "model": {"name": scorer.name, "version": scorer.version},
        "prediction_id": prediction_id,
        "results": results,
        **({"errors": faults} if faults else {}),
        "usage": {
            "texts": total.texts,
            "characters": total.characters,
            "tokens": total.tokens,
            "tokens_used": total.tokens_used,
            "unknown_tokens": total.unknown_tokens,
            "truncated_texts": total.truncated_texts,
        },
    }


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
