"""The answer of ``POST /v1/classify``: as plain values, or at once as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from valence.service import errors
from valence.service.api.http.problems import KINDS
from valence.service.api.http.scoring import TURN_TEXTS, issue_id
from valence.service.api.http.validation import MAX_FAULTS
from valence.service.api.v1.schemas import ClassifyRequest, Options
from valence.service.classifier.result import find_doubt, format_judgement, format_result
from valence.service.feedback.prediction_id import Issuer
from valence.service.inference.scored import Answer, Scored, Sentence
from valence.service.inference.scorer import Scorer
from valence.service.inference.turns import Turns

_TEXT_TOO_LONG = {
    "type": KINDS[errors.TextTooLong].uri,
    "title": KINDS[errors.TextTooLong].title,
}
_USAGE = (
    b'{"texts":%d,"characters":%d,"tokens":%d,"tokens_used":%d,"unknown_tokens":%d,'
    b'"truncated_texts":%d}'
)


def is_plain(asked: ClassifyRequest, scored: Scored) -> bool:
    """Whether all texts have results, and the results have no more than labels and usage."""
    return (
        not asked.explain
        and asked.granularity == "document"
        and not asked.id
        and not asked.ids
        and scored.usage.texts == len(scored.answers) > 0
    )


async def write_plain(
    issuer: Issuer, asked: ClassifyRequest, scorer: Scorer, scored: Scored
) -> tuple[bytes, str]:
    """What :func:`shape_answer` shapes, as JSON, for a plain request, which most requests are.

    Returns the JSON and the id of the prediction.
    """
    answers: list[Any] = list(scored.answers)
    min_confidence, unreadable, top_k = asked.min_confidence, asked.unreadable, asked.top_k
    reasons = [
        find_doubt(
            prediction,
            max(prediction.probabilities),
            usage,
            min_confidence=min_confidence,
            unreadable=unreadable,
        )
        for prediction, usage in answers
    ]
    if any(reasons):
        scorer.count_uncertain(len(reasons) - reasons.count(None))
    if len(answers) <= TURN_TEXTS:
        results = scorer.results.write(answers, reasons, top_k=top_k)
    else:
        turns, parts = Turns(scored.deadline), []
        for start in range(0, len(answers), TURN_TEXTS):
            end = start + TURN_TEXTS
            parts.append(scorer.results.write(answers[start:end], reasons[start:end], top_k=top_k))
            await turns.give()
        results = b",".join(parts)
    prediction_id = issue_id(issuer, scorer.name, scorer.version, answers)
    content = b'%b,"prediction_id":"%b","results":[%b],"usage":%b}' % (
        scorer.opening,
        prediction_id.encode(),
        results,
        _USAGE % scored.usage,
    )
    return content, prediction_id


async def shape_answer(
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
        raise refuse_texts({index: str(fault) for index, fault in enumerate(answers)}, asked)
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


def refuse_texts(faults: Mapping[int, str], asked: ClassifyRequest) -> errors.InvalidRequest:
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
