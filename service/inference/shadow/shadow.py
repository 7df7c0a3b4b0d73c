"""The shadow of a model: its challenger scores a share of the texts, once they are answered.

Nobody waits for it. It works only while no text waits for an engine and the worker is not full,
and it forgets what has waited too long: under a load it is the first thing to end.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from valence.service.classifier.truncation import Truncation
from valence.service.errors import DeadlineExceeded, Overloaded, Unavailable
from valence.service.inference.models import Models
from valence.service.inference.scored import Answer, Scored, ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.buffered import FLUSH_SECONDS
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.metrics.shadow import Lost, PairMetrics
from valence.service.pacing.debounce import Debounced
from valence.service.settings import ShadowRule

# A fuller worker leaves its shadows out. Shadows count in the saturation too.
MAX_SATURATION = 0.75
# A longer turn of the event loop has read and answered many requests. The saturation, a mean over
# seconds, tells later of a flood.
_MAX_TURN_SECONDS = 0.002
# What may wait, of all requests together. The texts of a large request wait and are scored in
# parts, so that others come between.
MAX_TEXTS = 1_024
MAX_CHARACTERS = 1_048_576
_PART_TEXTS = 32
# a text that has waited longer is forgotten
_MAX_AGE_SECONDS = 1.0
# Texts of several requests cost less together, so the first one waits for others.
_GATHER_SECONDS = 0.02
# Time between two looks for room. A busy engine is idle again within a millisecond or two. An
# overload lasts, and looks take time from it.
_PAUSE_SECONDS = 0.002
_CROWDED_PAUSE_SECONDS = 0.02
# One of so many comparisons is of a part alone, while others wait.
_ALONE_EVERY = 4


class _Part(NamedTuple):
    """Texts of one request with their answers."""

    texts: Sequence[str]
    answers: Sequence[Answer]
    truncation: Truncation
    served: Scorer
    engine_seconds: float
    """The time of the engine for these answers; 0 if it is not known."""
    since: float


class Shadow:
    """Compares the answers of one model with those of its challenger.

    :meth:`observe` is the observer of each version of the model. All methods belong to the event
    loop's thread.
    """

    def __init__(self, rule: ShadowRule, models: Models, metrics: Metrics, log: Log) -> None:
        self.rule = rule
        self._challenger = f"{rule.model}@{rule.challenger}"
        self._models = models
        self._metrics = metrics
        self._log = log
        self._waiting: deque[_Part] = deque()
        self._texts = self._characters = 0
        # Whether texts have waited in vain. Until there is room again, one request at a time waits
        # for it, since to let others wait and forget them costs each answer.
        self._crowded = False
        # texts that did not wait, by the version that answered them
        self._turned_away: Counter[Scorer] = Counter()
        self._flush_soon = Debounced(self.flush, seconds=FLUSH_SECONDS)
        self._working: asyncio.Task[None] | None = None
        self._closed = False
        self._failures: set[tuple[str, type[Exception]]] = set()
        metrics.shadow.begin(rule.model, rule.share)

    def observe(self, served: Scorer, request: ScoreRequest, scored: Scored) -> None:
        """Have the texts of ``request`` scored by the challenger too, if chance chooses it.

        That is for answers of the version that the bare name means.

        They wait from when the task that answers them has ended, so that nothing delays the answer.
        """
        share = self.rule.share
        if (
            request.shadow
            or (share < 1 and random.random() >= share)  # noqa: S311 - nothing secret
            or served is not self._models.find(served.name)
        ):
            return
        most = 1 if self._crowded else MAX_TEXTS
        if self._texts >= most or self._metrics.saturation >= MAX_SATURATION:
            # an overload leaves no time to let texts wait in vain, or to look up for whom
            self._turned_away[served] += len(request.texts)
            self._flush_soon.request()
            return
        if self._find_challenger(served) is None:
            return
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(lambda _: self._append(served, request, scored))

    async def close(self) -> None:
        """Forget what waits, and work no more."""
        self._closed = True
        self.flush()
        self._forget(self._waiting)
        self._waiting.clear()
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait((self._working,))

    def flush(self) -> None:
        """Count the texts that did not wait, as dropped if there is a challenger for them."""
        turned_away, self._turned_away = self._turned_away, Counter()
        for served, texts in turned_away.items():
            self._count(served, texts, "dropped")

    def _append(self, served: Scorer, request: ScoreRequest, scored: Scored) -> None:
        if self._closed:
            return
        now = time.perf_counter()
        for part in _split(served, request, scored, now):
            characters = sum(map(len, part.texts))
            if (
                self._texts + len(part.texts) > MAX_TEXTS
                or self._characters + characters > MAX_CHARACTERS
            ):
                self._count_lost((part,), "dropped")
                continue
            self._texts += len(part.texts)
            self._characters += characters
            self._waiting.append(part)
        if self._waiting and self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        # A part that is scored alone shares no batch, like most texts of requests while there is
        # room: so its time tells how the versions compare. All others together cost less.
        compared = 0
        try:
            await asyncio.sleep(_GATHER_SECONDS)
            while self._waiting:
                if await self._find_room():
                    self._crowded = False
                    await self._compare(self._take(alone=compared % _ALONE_EVERY == 0))
                    compared += 1
                else:
                    self._forget_old()
                    await asyncio.sleep(_CROWDED_PAUSE_SECONDS if self._crowded else _PAUSE_SECONDS)
        finally:
            self._working = None

    async def _find_room(self) -> bool:
        """Whether requests leave time: seen in one turn of the event loop, which they get first."""
        started = time.perf_counter()
        await asyncio.sleep(0)
        return (
            time.perf_counter() - started <= _MAX_TURN_SECONDS
            and not self._models.busy
            and self._metrics.saturation < MAX_SATURATION
        )

    def _take(self, *, alone: bool) -> list[_Part]:
        """The next part, with those behind it that one request may ask about if not ``alone``."""
        first = self._waiting[0]
        parts: list[_Part] = []
        texts = 0
        while self._waiting and not (parts and alone):
            part = self._waiting[0]
            texts += len(part.texts)
            if texts > _PART_TEXTS or (part.served, part.truncation) != (
                first.served,
                first.truncation,
            ):
                break
            parts.append(self._waiting.popleft())
            self._release(part)
        return parts

    async def _compare(self, parts: Sequence[_Part]) -> None:
        served, truncation = parts[0].served, parts[0].truncation
        texts = [text for part in parts for text in part.texts]
        challenger = self._find_challenger(served)
        if challenger is None:
            return
        try:
            scored = await challenger.score(
                ScoreRequest(
                    texts,
                    truncation,
                    partial=True,
                    deadline=time.perf_counter() + _MAX_AGE_SECONDS,
                    shadow=True,
                )
            )
        except (Overloaded, DeadlineExceeded, Unavailable):
            self._count_lost(parts, "dropped")
            return
        except Exception as error:
            # Whatever fails here must not be seen by a client. Each kind is told once.
            self._count_lost(parts, "failed")
            if (challenger.version, type(error)) not in self._failures:
                self._failures.add((challenger.version, type(error)))
                self._log.failure(
                    "shadow failed", error, model=challenger.name, version=challenger.version
                )
            return
        given = [answer for part in parts for answer in part.answers]
        pairs = [
            (answer[0], other[0])
            for answer, other in zip(given, scored.answers, strict=True)
            if isinstance(other, tuple)
        ]
        metrics = self._find_metrics(served, challenger)
        metrics.count_compared(pairs)
        if len(pairs) < len(texts):
            metrics.count_lost(len(texts) - len(pairs), "failed")
        elif len(parts) == 1 and parts[0].engine_seconds:
            metrics.count_engine(served=parts[0].engine_seconds, challenger=scored.engine_seconds)

    def _find_challenger(self, served: Scorer) -> Scorer | None:
        """The challenger, if it is loaded, is another version, and has the same labels."""
        found = self._models.find(self._challenger)
        if (
            found is None
            or found.version == served.version
            or found.manifest.labels != served.manifest.labels
            or found.manifest.task != served.manifest.task
        ):
            return None
        return found

    def _forget_old(self) -> None:
        """Forget what has waited too long; the oldest comes first."""
        oldest = time.perf_counter() - _MAX_AGE_SECONDS
        while self._waiting and self._waiting[0].since < oldest:
            self._crowded = True
            self._forget((self._waiting.popleft(),))

    def _forget(self, parts: Iterable[_Part]) -> None:
        for part in parts:
            self._release(part)
            self._count_lost((part,), "dropped")

    def _release(self, part: _Part) -> None:
        self._texts -= len(part.texts)
        self._characters -= sum(map(len, part.texts))

    def _count_lost(self, parts: Iterable[_Part], outcome: Lost) -> None:
        for part in parts:
            self._count(part.served, len(part.texts), outcome)

    def _count(self, served: Scorer, texts: int, outcome: Lost) -> None:
        challenger = self._find_challenger(served)
        if challenger is not None:
            self._find_metrics(served, challenger).count_lost(texts, outcome)

    def _find_metrics(self, served: Scorer, challenger: Scorer) -> PairMetrics:
        return self._metrics.shadow.pair(
            served.name, served.version, challenger.version, challenger.manifest.labels
        )


def _split(served: Scorer, request: ScoreRequest, scored: Scored, now: float) -> Iterator[_Part]:
    """The texts of ``request`` that have an answer, in parts."""
    answered = [
        (text, answer)
        for text, answer in zip(request.texts, scored.answers, strict=True)
        if isinstance(answer, tuple)
    ]
    tokens = sum(answer[1].tokens_used for _, answer in answered)
    for start in range(0, len(answered), _PART_TEXTS):
        texts, answers = zip(*answered[start : start + _PART_TEXTS], strict=True)
        share = sum(usage.tokens_used for _, usage in answers) / max(tokens, 1)
        yield _Part(texts, answers, request.truncation, served, scored.engine_seconds * share, now)
