"""The steps that all dialects share between a request and its answer: limits, scoring, JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pydantic_core
from valence.service.api.http.outcome import ModelFailure
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.errors import InvalidRequest, TextTooLong
from valence.service.feedback.prediction_id import Issuer
from valence.service.inference.scored import Answer, Scored, ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.inference.turns import Turns
from valence.service.settings import Settings

# Building and writing an answer hold the event loop. A large answer gives other requests a turn
# after so many texts, which take about a sixth of a millisecond.
TURN_TEXTS = 32
SPLIT_HEADER = b"x-split-key"


def find_scorer(context: Context, request: Request, model: str | None = None) -> Scorer:
    """The version that answers ``request`` about ``model``, or about the default model.

    A request asks once, so that one version reads, checks and answers it. Where the requests of the
    model are split, those with the same :data:`SPLIT_HEADER` have the same alias; without it the id
    of the request decides. Raises what :meth:`Models.get` raises.
    """
    models = context.models
    if not models.splits:
        return models.get(model or None)
    key = request.headers.get(SPLIT_HEADER)
    return models.choose(model or None, key.decode("latin-1") if key else request.id)


def issue_id(
    issuer: Issuer, model: str, version: str, answers: Sequence[Answer | TextTooLong]
) -> str:
    """The id of the prediction that ``answers``, at least one, are."""
    if len(answers) == 1 and isinstance(answers[0], tuple):
        prediction = answers[0][0]
        return issuer.issue(model, version, prediction.labels, max(prediction.probabilities))
    return issuer.issue_several(model, version, len(answers))


def describe_version(scorer: Scorer) -> tuple[bytes, bytes]:
    """The header that names the version, for answers that have no place for it."""
    return b"x-model-version", scorer.version.encode()


async def score_texts(
    context: Context, request: Request, asked: ScoreRequest, scorer: Scorer
) -> Scored:
    """The answer of ``scorer`` to ``asked``.

    The request sets the deadline of ``asked``, and its disconnect ends the wait. Its API key's rate
    pays for the texts. Raises :class:`ModelFailure` with what :meth:`Scorer.score` raises. The
    caller checks the limits on texts, by :func:`require_within_limits`, since only the dialect
    knows where in the body a text stands.
    """
    try:
        request.caller.charge(len(asked.texts))
        return await scorer.score(
            asked.wait(
                request.deadline(context.settings.request_timeout_seconds),
                request.body.disconnect,
                request.body.hold,
                request.caller.charge_tokens,
            )
        )
    except BaseException as error:
        raise name_failure(error, request, scorer) from None


def name_failure(error: BaseException, request: Request, scorer: Scorer) -> BaseException:
    """What to raise for an ``error`` of ``request``, so that it is counted for its model.

    A task that was cancelled from outside stays cancelled.
    """
    cause = request.body.find_cause(error)
    return ModelFailure(cause, scorer) if isinstance(cause, Exception) else cause


async def to_json(answer: dict[str, Any] | list[Any]) -> bytes:
    """``answer`` as JSON; a list with an item for each text is written in several turns."""
    if isinstance(answer, list):
        return await _array(answer)
    # a loop: a generator would cost every request a quarter of a microsecond more
    for value in answer.values():
        if isinstance(value, list) and len(value) > TURN_TEXTS:
            break
    else:
        return pydantic_core.to_json(answer)
    fields = []
    for name, value in answer.items():
        written = await _array(value) if isinstance(value, list) else pydantic_core.to_json(value)
        fields.append(pydantic_core.to_json(name) + b":" + written)
    return b"{" + b",".join(fields) + b"}"


# A number, or a token of an explanation, is written a hundred times as fast as a result.
_TURN_VALUES = 1_024


async def to_nested_json(answer: dict[str, Any], turns: Turns) -> bytes:
    """``answer`` as JSON, of which each item may be long; it is written in ``turns``.

    Long sequences may be lists or make lists of their slices.
    """
    parts: list[bytes] = []
    await _write(answer, parts, turns)
    return b"".join(parts)


async def _write(value: Any, parts: list[bytes], turns: Turns) -> None:
    if not _is_long(value):
        parts.append(pydantic_core.to_json(value, fallback=list))
    elif isinstance(value, dict):
        mark = b"{"
        for name, field in value.items():
            parts += (mark, pydantic_core.to_json(name), b":")
            await _write(field, parts, turns)
            mark = b","
        parts.append(b"}")
    else:
        parts.append(b"[")
        results = isinstance(value, list) and isinstance(value[0], dict)
        length = TURN_TEXTS if results else _TURN_VALUES
        for start in range(0, len(value), length):
            await _write_slice(value[start : start + length], parts, turns)
            await turns.give()
        # the comma after the last item
        parts[-1] = b"]"


async def _write_slice(items: list[Any], parts: list[bytes], turns: Turns) -> None:
    """Write ``items`` of a list, each followed by a comma of its own part."""
    if not any(map(_is_long, items)):
        parts += (pydantic_core.to_json(items)[1:-1], b",")
        return
    for item in items:
        await _write(item, parts, turns)
        parts.append(b",")


def _is_long(value: object) -> bool:
    """Whether ``value`` is a long sequence, or has one."""
    if isinstance(value, dict):
        return any(map(_is_long, value.values()))
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return len(value) > TURN_TEXTS or (isinstance(value, list) and any(map(_is_long, value)))


async def _array(items: list[Any]) -> bytes:
    if len(items) <= TURN_TEXTS:
        return pydantic_core.to_json(items)
    parts = []
    for start in range(0, len(items), TURN_TEXTS):
        parts.append(pydantic_core.to_json(items[start : start + TURN_TEXTS])[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def require_within_limits(texts: Sequence[str], settings: Settings, *, field: str) -> None:
    """Raise :class:`InvalidRequest` if there are more or longer texts than the settings allow.

    ``field`` is the place of the texts in the body.
    """
    require_few(texts, settings, field=field)
    for index, text in enumerate(texts):
        require_short(text, settings, field=f"{field}.{index}")


def require_few(texts: Sequence[object], settings: Settings, *, field: str) -> None:
    """Raise :class:`InvalidRequest` if the texts at ``field`` are too many."""
    if len(texts) > settings.max_texts:
        message = (
            f"{len(texts)} texts, a request may have {settings.max_texts}; send several requests"
        )
        raise InvalidRequest.for_field(field, message)


def require_short(text: str, settings: Settings, *, field: str) -> None:
    """Raise :class:`InvalidRequest` if the text at ``field`` is too long."""
    for message in faults_of_length((text,), settings).values():
        raise InvalidRequest.for_field(field, message)


def faults_of_length(texts: Sequence[str], settings: Settings) -> dict[int, str]:
    """A message for each text that is too long, by the text's index."""
    limit = settings.max_characters
    return {
        index: f"{len(text)} characters, a text may have {limit}; split or shorten the text"
        for index, text in enumerate(texts)
        if len(text) > limit
    }
