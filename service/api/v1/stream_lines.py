"""The answers to the lines of a stream: parse, score and write a chunk of lines."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import pydantic_core
from pydantic import TypeAdapter, ValidationError
from valence.service import errors
from valence.service.api.http.problems import describe
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.api.http.scoring import find_scorer, require_short
from valence.service.api.http.validation import BYTE_ORDER_MARK, parse, readable
from valence.service.api.v1.ndjson import Line
from valence.service.api.v1.schemas import Options, StreamLine
from valence.service.classifier.result import format_result
from valence.service.inference.scored import Answer, ScoreRequest
from valence.service.inference.scorer import Scorer

# Parsing and writing hold the event loop. Other requests get a turn after so many lines, which take
# about a third of a millisecond.
_TURN_LINES = 32
# The time between two attempts to enter a full queue; each attempt tokenizes the texts again.
_MIN_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.05, 1.0
_TEXT: TypeAdapter[str] = TypeAdapter(str)


class StreamUsage:
    """What a stream has scored so far."""

    __slots__ = ("texts", "tokens")

    def __init__(self) -> None:
        self.texts = 0
        self.tokens = 0


class LineAnswerer:
    """Answers the lines of one stream, and counts what it has scored in ``usage``."""

    def __init__(
        self, context: Context, request: Request, scorer: Scorer, options: Options
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._request = request
        self._scorer = scorer
        self._options = options
        self.prediction_id = context.issuer.issue_several(scorer.name, scorer.version, 0)
        """The id of the stream, for its header; it names the version of the first line."""
        self._ids = {(scorer.name, scorer.version): ""}
        self.usage = StreamUsage()

    def renew_key(self) -> None:
        """Raise :class:`Unauthorized` or :class:`Forbidden` if the API key no longer permits this.

        A stream may last longer than its key.
        """
        self._request.caller.renew("classify")

    async def answer(self, lines: Sequence[Line]) -> bytes:
        """The answers to a chunk of lines, each a line."""
        # A stream may last for days, and would keep a replaced version in memory. What it asks for
        # may have no name any more: it ends with the version that it has.
        with contextlib.suppress(errors.UnknownModel, errors.Unavailable):
            self._scorer = find_scorer(self._context, self._request, self._options.model)
        # the lines after these may have another version already while these wait for their answers
        scorer = self._scorer
        asked: list[tuple[str, str | errors.RequestError]] = []
        for line in lines:
            asked.append(self._parse(line))
            if not len(asked) % _TURN_LINES:
                await asyncio.sleep(0)
        texts = [text for _, text in asked if isinstance(text, str)]
        # a stream over the rate of its key is not refused, but read more slowly
        await self._request.caller.pace(len(texts))
        answers = iter(await self._score(scorer, texts))
        labels, options = scorer.manifest.labels, self._options
        model = {"name": scorer.name, "version": scorer.version}
        prediction_id = self._find_id(scorer)
        written = []
        for (number, _), (name, text) in zip(lines, asked, strict=True):
            answer = next(answers) if isinstance(text, str) else text
            if isinstance(answer, Exception):
                written.append(self.refuse(number, name, answer))
            else:
                shaped: dict[str, Any] = {"line": number, "id": name} if name else {"line": number}
                shaped |= format_result(
                    labels,
                    *answer,
                    top_k=options.top_k,
                    min_confidence=options.min_confidence,
                    unreadable=options.unreadable,
                )
                shaped["model"] = model
                if prediction_id:
                    shaped["prediction_id"] = f"{prediction_id}.{number}"
                if "reason" in shaped:
                    scorer.count_uncertain(1)
                written.append(pydantic_core.to_json(shaped))
            if not len(written) % _TURN_LINES:
                await asyncio.sleep(0)
        written.append(b"")
        return b"\n".join(written)

    def _find_id(self, scorer: Scorer) -> str:
        """The id of the lines that ``scorer`` answers; "" if it is the one in the header."""
        key = (scorer.name, scorer.version)
        if key not in self._ids:
            self._ids[key] = self._context.issuer.issue_several(*key, 0)
        return self._ids[key]

    def _parse(self, line: Line) -> tuple[str, str | errors.RequestError]:
        """The id of a line, or "", and its text or its error."""
        if line.content is None:
            limit = self._settings.max_body_bytes
            message = f"a line may have {limit} bytes; split or shorten its text"
            return "", errors.BodyTooLarge(message)
        # files that were put together have a mark in their middle
        content = line.content.removeprefix(BYTE_ORDER_MARK)
        name = ""
        try:
            if content.lstrip()[:1] == b'"':
                text = _TEXT.validate_json(content)
            else:
                asked = parse(StreamLine, line.content)
                name, text = asked.id, asked.text
            require_short(text, self._settings, field="text")
        except ValidationError as error:
            return name, readable(error)
        except errors.RequestError as error:
            # its frames lead to that of the caller, which holds the error: such circles would live
            # until the garbage collector runs
            error.__traceback__ = error.__context__ = None
            return name, error
        return name, text

    async def _score(self, scorer: Scorer, texts: Sequence[str]) -> Sequence[Answer | Exception]:
        """An answer or an error for each text; an error of one text does not affect the others."""
        if not texts:
            return []
        try:
            scored = await self._score_when_admitted(scorer, texts)
        except (errors.Overloaded, errors.DeadlineExceeded) as error:
            return [error] * len(texts)
        except Exception as error:
            if len(texts) == 1:
                return [error]
            half = len(texts) // 2
            return [
                *await self._score(scorer, texts[:half]),
                *await self._score(scorer, texts[half:]),
            ]
        return scored

    async def _score_when_admitted(
        self, scorer: Scorer, texts: Sequence[str]
    ) -> Sequence[Answer | Exception]:
        """Answers to ``texts``; with a full queue, where a request is refused, the texts wait."""
        deadline = time.perf_counter() + self._settings.stream_idle_seconds
        asked = ScoreRequest(
            texts,
            truncation=self._options.truncation,
            partial=True,
            deadline=deadline,
            charge=self._request.caller.charge_tokens,
        )
        while True:
            try:
                scored = await scorer.score(asked)
            except errors.Overloaded as error:
                wait = min(max(error.retry_after_seconds, _MIN_RETRY_SECONDS), _MAX_RETRY_SECONDS)
                if time.perf_counter() + wait > deadline:
                    raise
                await asyncio.sleep(wait)
            else:
                self.usage.texts += scored.usage.texts
                self.usage.tokens += scored.usage.tokens
                return scored.answers

    def refuse(
        self, number: int, name: str, error: Exception, *, resume_from: int | None = None
    ) -> bytes:
        """The answer to a line that has no result; ``resume_from`` ends the stream."""
        problem = describe(error)
        self._context.metrics.count_rejection(problem.kind.slug)
        if problem.kind.status == 500:
            self._context.log.failure("unexpected error", error, request_id=self._request.id)
        content: dict[str, Any] = {"line": number, "id": name} if name else {"line": number}
        content["error"] = {
            "type": problem.kind.uri,
            "title": problem.kind.title,
            "detail": problem.detail,
        }
        if resume_from is not None:
            content["resume_from"] = resume_from
        return pydantic_core.to_json(content)
