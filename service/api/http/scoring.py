"""What every dialect does between a request and its answer: limits, the one queue, the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pydantic_core
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.classifier.truncation import Truncation
from valence.service.errors import InvalidRequest
from valence.service.inference.scorer import Scored, Scorer
from valence.service.settings import Settings

# Building an answer holds the event loop, and so does writing it; a large one lets others have a
# turn after as many texts as take about a sixth of a millisecond.
TURN_TEXTS = 32


async def score(
    context: Context,
    request: Request,
    texts: Sequence[str],
    *,
    model: str | None = None,
    truncation: Truncation = "head",
    sentences: bool = False,
    explain: bool = False,
) -> tuple[Scorer, Scored]:
    """The predictions of ``model``, or of the default one, for ``texts``, and who made them.

    The request's log line, its metrics and its API key's rate learn what was scored; the client may
    shorten the time it may take. Raises what :meth:`Models.get` and :meth:`Scorer.score` raise;
    limits on texts are the caller's to check, by :func:`require_within_limits`, since only the
    dialect knows where in the body a text stood.
    """
    scorer = context.models.get(model)
    request.model, request.version = scorer.name, scorer.version
    request.pay(len(texts))
    scored = await scorer.score(
        texts,
        timeout_seconds=request.seconds_left(context.settings.request_timeout_seconds),
        while_waiting=request.until_gone,
        truncation=truncation,
        sentences=sentences,
        explain=explain,
    )
    request.texts, request.tokens = scored.usage.texts, scored.usage.tokens
    request.stages = scored.stages
    return scorer, scored


async def to_json(answer: dict[str, Any] | list[Any]) -> bytes:
    """``answer`` as JSON; a list with something for every text is written in turns."""
    if isinstance(answer, list):
        return await _array(answer)
    if not any(isinstance(value, list) and len(value) > TURN_TEXTS for value in answer.values()):
        return pydantic_core.to_json(answer)
    fields = []
    for name, value in answer.items():
        written = await _array(value) if isinstance(value, list) else pydantic_core.to_json(value)
        fields.append(pydantic_core.to_json(name) + b":" + written)
    return b"{" + b",".join(fields) + b"}"


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

    ``field`` is where the texts stand in the body.
    """
    require_few(texts, settings, field=field)
    for index, text in enumerate(texts):
        require_short(text, settings, field=f"{field}.{index}")


def require_few(texts: Sequence[object], settings: Settings, *, field: str) -> None:
    """Raise :class:`InvalidRequest` if ``texts``, which stand at ``field``, are too many."""
    if len(texts) > settings.max_texts:
        message = (
            f"{len(texts)} texts, a request may have {settings.max_texts}; send several requests"
        )
        raise InvalidRequest.for_field(field, message)


def require_short(text: str, settings: Settings, *, field: str) -> None:
    """Raise :class:`InvalidRequest` if ``text``, which stands at ``field``, is too long."""
    for message in faults_of_length((text,), settings).values():
        raise InvalidRequest.for_field(field, message)


def faults_of_length(texts: Sequence[str], settings: Settings) -> dict[int, str]:
    """A message for each text that is too long, by its place."""
    most = settings.max_characters
    return {
        place: f"{len(text)} characters, a text may have {most}; split or shorten the text"
        for place, text in enumerate(texts)
        if len(text) > most
    }
