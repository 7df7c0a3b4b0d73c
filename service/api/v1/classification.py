"""``POST /v1/classify``: Valence's own dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from valence.service import errors
from valence.service.api.http.problems import KINDS
from valence.service.api.http.request import Request, Response
from valence.service.api.http.routes import SCORING_ERRORS, Context, Operation, Route
from valence.service.api.http.scoring import (
    TURN_TEXTS,
    faults_of_length,
    require_few,
    score,
    to_json,
)
from valence.service.api.http.validation import MOST_FAULTS, readable
from valence.service.api.v1.examples import CLASSIFIED
from valence.service.api.v1.schemas import (
    MAX_EXPLAINED_TEXTS,
    ClassifyRequest,
    ClassifyResponse,
    Options,
)
from valence.service.classifier.result import UNCERTAIN, format_judgement, format_result
from valence.service.inference.scorer import Scored, Scorer
from valence.service.settings import Settings

Ask = Callable[[Sequence[str]], Awaitable[tuple[Scorer, Scored]]]


async def classify(context: Context, request: Request) -> Response:
    """Answer ``POST /v1/classify``."""
    asked = await request.json(ClassifyRequest)

    def ask(texts: Sequence[str]) -> Awaitable[tuple[Scorer, Scored]]:
        return score(
            context,
            request,
            texts,
            model=asked.model or None,
            truncation=asked.truncation,
            sentences=asked.granularity == "sentence",
            explain=asked.explain,
        )

    return Response(await to_json(await _answer(asked, context.settings, ask)))


async def classify_in_process(context: Context, fields: dict[str, object]) -> dict[str, Any]:
    """What ``POST /v1/classify`` answers to the JSON object ``fields``, without HTTP."""
    try:
        asked = ClassifyRequest.model_validate(fields)
    except ValidationError as error:
        raise readable(error) from None
    scorer = context.models.get(asked.model or None)
    ends = time.perf_counter() + context.settings.request_timeout_seconds

    async def ask(texts: Sequence[str]) -> tuple[Scorer, Scored]:
        scored = await scorer.score(
            texts,
            timeout_seconds=ends - time.perf_counter(),
            truncation=asked.truncation,
            sentences=asked.granularity == "sentence",
            explain=asked.explain,
        )
        return scorer, scored

    return await _answer(asked, context.settings, ask)


async def _answer(asked: ClassifyRequest, settings: Settings, ask: Ask) -> dict[str, Any]:
    """A :class:`ClassifyResponse` as plain values: building the model would cost more than JSON.

    A text that cannot be scored costs the others nothing; if all cannot, the request is refused.
    """
    texts = _texts(asked, settings)
    kept: Sequence[int] = range(len(texts))
    refused = faults_of_length(texts, settings)
    while True:
        if refused:
            kept = [place for place in range(len(texts)) if place not in refused]
            if not kept:
                raise _refusal(refused, one="text" in asked.model_fields_set)
        try:
            scorer, scored = await ask([texts[place] for place in kept] if refused else texts)
            break
        except errors.TextTooLong as error:
            # once at most: none of those left is too long
            refused |= {kept[place]: message for place, message in error.faults}
    results = await _results(scorer, scored, asked)
    ids = asked.ids or ([asked.id] if asked.id else [])
    if refused:
        return _envelope(scorer, scored, *_with_errors(results, kept, refused, ids))
    if ids:
        results = [{"id": own, **result} for own, result in zip(ids, results, strict=True)]
    return _envelope(scorer, scored, results)


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


def _refusal(refused: Mapping[int, str], *, one: bool) -> errors.InvalidRequest:
    """The error of a request of which no text can be scored."""
    faults = tuple(
        ("text" if one else f"texts.{place}", message) for place, message in sorted(refused.items())
    )[:MOST_FAULTS]
    return errors.InvalidRequest(": ".join(faults[0]), faults)


async def _results(scorer: Scorer, scored: Scored, asked: Options) -> list[dict[str, Any]]:
    labels, top_k, min_confidence = scorer.manifest.labels, asked.top_k, asked.min_confidence
    results = []
    for prediction, usage in zip(scored.predictions, scored.usages, strict=True):
        results.append(
            format_result(labels, prediction, usage, top_k=top_k, min_confidence=min_confidence)
        )
        if not len(results) % TURN_TEXTS:
            await asyncio.sleep(0)
    for shaped, explanation in zip(results, scored.explanations, strict=False):
        shaped["explanation"] = explanation._asdict()
    for shaped, sentences in zip(results, scored.sentences, strict=False):
        shaped["sentences"] = judged = []
        for sentence in sentences:
            judged.append(
                {
                    "start": sentence.start,
                    "end": sentence.end,
                    **format_judgement(
                        labels, sentence.prediction, top_k=top_k, min_confidence=min_confidence
                    ),
                    "truncated": sentence.usage.truncated,
                }
            )
            if not len(judged) % TURN_TEXTS:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    if min_confidence:
        scorer.uncertain(sum(shaped["label"] == UNCERTAIN for shaped in results))
    return results


def _with_errors(
    results: Sequence[dict[str, Any]],
    kept: Sequence[int],
    refused: Mapping[int, str],
    ids: Sequence[str],
) -> tuple[list[dict[str, Any] | None], list[dict[str, Any]]]:
    """Results with null where there is none, and why there is none."""
    kind = KINDS[errors.TextTooLong]
    names = [{"id": own} for own in ids] or [{}] * (len(kept) + len(refused))
    found = dict(zip(kept, results, strict=True))
    return (
        [name | found[place] if place in found else None for place, name in enumerate(names)],
        [
            {"index": place, **names[place], "type": kind.uri, "title": kind.title, "detail": fault}
            for place, fault in sorted(refused.items())
        ],
    )


def _envelope(
    scorer: Scorer,
    scored: Scored,
    results: Sequence[dict[str, Any] | None],
    faults: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    total = scored.usage
    return {
        "model": {"name": scorer.name, "version": scorer.version},
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
        description="Returns a label for each text, a calibrated probability for each label, and how "
        "much of the text the model read.",
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
