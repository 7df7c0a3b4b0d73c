"""One served model: texts in, predictions out, through the one queue every dialect shares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from operator import lt
from typing import Any, NamedTuple, TypeVar

import numpy as np
from valence.service.classifier.classifier import Classifier, Document, Prediction, Usage
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import DeadlineExceeded, InvalidRequest, TextTooLong
from valence.service.inference import long_texts
from valence.service.inference.batcher import Batcher, QueueLimits, Ticket
from valence.service.inference.cache import Answer, AnswerCache
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.explainer import Explainer, Explanation, TextActivations
from valence.service.inference.long_texts import Sentence
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics

# Tokenizing holds the event loop; a large request lets others have a turn after as many characters
# as are tokenized in about a quarter of a millisecond.
_TURN_CHARACTERS = 2_000
# of English text, spaces counted; only who is refused early depends on it
_CHARACTERS_A_TOKEN = 5
_NOTHING = nullcontext(False)


Given = TypeVar("Given")


class TotalUsage(NamedTuple):
    """What was read of all texts of a request."""

    texts: int
    characters: int
    tokens: int
    tokens_used: int
    unknown_tokens: int
    truncated_texts: int


class Stages(NamedTuple):
    """Seconds that a request spent in each stage; none for answers from the cache."""

    tokenize: float = 0.0
    queue: float = 0.0
    infer: float = 0.0


class Scored(NamedTuple):
    """A request's answer: a prediction and what was read for each text, in order."""

    predictions: list[Prediction]
    usages: list[Usage]
    usage: TotalUsage
    stages: Stages
    # of each text, if they were asked for
    sentences: list[list[Sentence]] = []  # noqa: RUF012 - nobody changes it
    explanations: list[Explanation] = []  # noqa: RUF012 - nor this


class Scorer:
    """Tokenizes, queues and predicts with one classifier on one engine.

    With a ``cache``, texts whose answers it holds are neither tokenized nor queued.
    """

    def __init__(
        self,
        classifier: Classifier,
        engine: Engine,
        *,
        limits: QueueLimits,
        worker: Executor,
        metrics: Metrics,
        cache: AnswerCache | None = None,
    ) -> None:
        self.classifier = classifier
        self.engine = engine
        self.manifest = classifier.manifest
        self.name = self.manifest.name
        self.version = self.manifest.version
        self._cache = cache
        self._explainer = Explainer(classifier)
        self._limits = limits
        self._metrics = ModelMetrics(
            metrics,
            name=self.name,
            version=self.version,
            labels=self.manifest.labels,
            engine=engine.name,
        )
        self._batcher: Batcher[Prediction] = Batcher(
            self._predict, limits=limits, worker=worker, metrics=self._metrics
        )

    def warm_up(self) -> None:
        """Run every step once and measure the engine, before the first request pays for it."""
        self.classifier.encode_head("It's a warm-up, isn't it?")
        words = len(self.classifier.artifact.vocabulary)

        def seconds(count: int, tokens: int) -> float:
            documents = [
                np.arange(row, row + tokens, dtype=np.int32) % words for row in range(count)
            ]
            started = time.perf_counter()
            self._predict(documents)
            return time.perf_counter() - started

        # the smallest of a few: what else the machine does only ever adds
        one = min(seconds(1, 1) for _ in range(3))
        many = min(seconds(32, 32) for _ in range(3))
        self._batcher.calibrate(
            overhead_seconds=one, seconds_per_token=max(many - one, 1e-7) / (32 * 32)
        )

    def score(
        self,
        texts: Sequence[str],
        *,
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        truncation: Truncation = "head",
        sentences: bool = False,
        explain: bool = False,
    ) -> Coroutine[Any, Any, Scored]:
        """Predictions for ``texts``; if asked, for each of their ``sentences``, and why each label.

        Explanations wait in the same queue once the labels are known, for what they cost there.

        Of texts longer than the model reads, what ``truncation`` says is read. Raises
        :class:`TextTooLong`, before any is scored, for those that it refuses,
        :class:`InvalidRequest` when windows and sentences are more than the queue may ever hold,
        :class:`Overloaded` when it is full and :class:`DeadlineExceeded` when ``timeout_seconds``
        pass. A caller that is cancelled leaves the queue. The context ``while_waiting`` is entered
        only if the answer is not there at once.
        """
        if sentences or explain:
            # the cache keeps what whole texts are answered, and not why
            return self._compute(
                texts, timeout_seconds, while_waiting, truncation,
                sentences=sentences, explain=explain,
            )  # fmt: skip
        if self._cache is None:
            return self._compute(texts, timeout_seconds, while_waiting, truncation)
        return self._remember(self._cache, texts, timeout_seconds, while_waiting, truncation)

    async def _remember(
        self,
        cache: AnswerCache,
        texts: Sequence[str],
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]],
        truncation: Truncation,
    ) -> Scored:
        model = f"{self.name}:{self.version}:{truncation}"
        keys = [cache.key(model, text) for text in texts]
        answers: list[Answer | None] = [cache.get(key) for key in keys]
        kept = [answer[0] for answer in answers if answer]
        stages = Stages()
        missing = [place for place, answer in enumerate(answers) if answer is None]
        if missing:
            try:
                computed = await self._compute(
                    [texts[place] for place in missing], timeout_seconds, while_waiting, truncation
                )
            except TextTooLong as error:
                raise TextTooLong(
                    tuple((missing[place], message) for place, message in error.faults)
                ) from None
            stages = computed.stages
            for place, prediction, usage in zip(
                missing, computed.predictions, computed.usages, strict=True
            ):
                answers[place] = prediction, usage
                cache.put(keys[place], (prediction, usage))
        self._metrics.count_cached(_labels(kept), hits=len(kept), misses=len(missing))
        whole = [answer for answer in answers if answer is not None]
        usages = [usage for _, usage in whole]
        return Scored([prediction for prediction, _ in whole], usages, _total(usages), stages)

    async def _compute(
        self,
        texts: Sequence[str],
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]],
        truncation: Truncation,
        *,
        sentences: bool = False,
        explain: bool = False,
    ) -> Scored:
        arrived = time.perf_counter()
        parts: list[long_texts.Parts] | None = None
        documents: Sequence[Document | long_texts.Parts]
        with self._room(texts, timeout_seconds) as admitted:
            if truncation == "head" and not sentences and not explain:
                encode = self.classifier.encode_head
                whole = [encode(texts[0])] if len(texts) == 1 else await self._encode(texts)
                documents, ids = whole, [document.ids for document in whole]
            else:
                documents = parts = await long_texts.read(
                    self.classifier, texts, truncation, sentences=sentences
                )
                ids = long_texts.windows(parts)
                self._require_room(ids, texts=len(texts))
            encoded = time.perf_counter()
            left = timeout_seconds - (encoded - arrived)
            ticket = self._batcher.submit(
                ids, within_seconds=left, admitted=admitted and len(ids) == len(texts)
            )
        predictions = await self._answers(ticket, left, while_waiting)
        found: list[list[Sentence]] = []
        if parts is not None:
            predictions, found = long_texts.gather(self.classifier, parts, predictions)
        usages = [document.usage for document in documents]
        usage = _total(usages)
        stages = Stages(
            encoded - arrived,
            ticket.started - ticket.enqueued,
            time.perf_counter() - ticket.started,
        )
        self._metrics.count_scored(
            _labels(predictions),
            ScoringRecord(usage.tokens, usage.unknown_tokens, usage.truncated_texts, *stages),
        )
        scored = Scored(predictions, usages, usage, stages, found if sentences else [])
        if parts is None or not explain:
            return scored
        left = timeout_seconds - (time.perf_counter() - arrived)
        explanations = await self._explain(
            texts, parts, scored.predictions, left, while_waiting, truncation=truncation
        )
        return scored._replace(explanations=explanations)

    async def _explain(
        self,
        texts: Sequence[str],
        parts: Sequence[long_texts.Parts],
        predictions: Sequence[Prediction],
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]],
        *,
        truncation: Truncation,
    ) -> list[Explanation]:
        explainer = self._explainer
        labels = [prediction.label for prediction in predictions]
        asked = [
            explainer.questions(part.whole, label)
            for part, label in zip(parts, labels, strict=True)
        ]
        ticket = self._batcher.submit_to(
            explainer.attribute, list(chain.from_iterable(asked)), within_seconds=timeout_seconds
        )
        answers = iter(await self._answers(ticket, timeout_seconds, while_waiting))
        explanations = []
        for text, label, questions in zip(texts, labels, asked, strict=True):
            own = list(islice(answers, len(questions)))
            explanations.append(explainer.explanation(text, label, truncation, questions, own))
            await asyncio.sleep(0)
        return explanations

    async def activations(
        self,
        text: str,
        *,
        most: int,
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> TextActivations:
        """The ``most`` most telling units of the network at each token of ``text`` that is read.

        Raises what :meth:`score` raises.
        """
        explainer = self._explainer
        read = self.classifier.encode_windows(text, "head")
        questions = explainer.questions(read, self.manifest.labels[0])
        ticket = self._batcher.submit_to(
            explainer.activate, questions, within_seconds=timeout_seconds
        )
        (values,) = await self._answers(ticket, timeout_seconds, while_waiting)
        return explainer.telling(text, values, most=most)

    def uncertain(self, texts: int) -> None:
        """Count ``texts`` that were answered without a label, none being likely enough."""
        self._metrics.count_uncertain(texts)

    async def drain(self) -> None:
        """Return when every admitted request has its answer."""
        await self._batcher.drain()

    @property
    def busy_seconds(self) -> float:
        """How long the worker thread has been at its batch; 0 when it is idle."""
        return self._batcher.busy_seconds

    def report(self) -> None:
        """Write what waits into the metrics."""
        self._batcher.report()
        self._metrics.flush()

    async def _encode(self, texts: Sequence[str]) -> list[Document]:
        encode = self.classifier.encode_head
        documents = []
        characters = 0
        for text in texts:
            documents.append(encode(text))
            characters += len(text)
            if characters > _TURN_CHARACTERS:
                characters = 0
                await asyncio.sleep(0)
        return documents

    def require_room(self, *, characters: int, texts: int, within_seconds: float) -> None:
        """Raise :class:`Overloaded` if there is no room for so many characters in all ``texts``."""
        tokens = self._guessed_tokens(characters, texts)
        self._batcher.require_room(items=texts, tokens=tokens, within_seconds=within_seconds)

    def _guessed_tokens(self, characters: int, texts: int) -> int:
        return min(characters // _CHARACTERS_A_TOKEN, texts * self.manifest.max_tokens)

    def _room(self, texts: Sequence[str], within_seconds: float) -> AbstractContextManager[bool]:
        """Keeps room for a large request while its texts are tokenized; whether it did.

        A small one is tokenized sooner than asked whether there is room.
        """
        characters = len(texts[0]) if len(texts) == 1 else sum(map(len, texts))
        if characters <= _TURN_CHARACTERS:
            return _NOTHING
        return self._batcher.promised(
            items=len(texts),
            tokens=self._guessed_tokens(characters, len(texts)),
            within_seconds=within_seconds,
        )

    def _require_room(self, ids: Sequence[WordIds], *, texts: int) -> None:
        """What texts come to in windows and sentences may be many times what was sent."""
        tokens = sum(map(len, ids))
        if len(ids) > texts and (len(ids) > self._limits.items or tokens > self._limits.tokens):
            raise InvalidRequest(
                f"the texts have {len(ids)} windows and sentences of {tokens} tokens together, a "
                f"request may have {self._limits.items} of {self._limits.tokens}; send fewer or "
                "shorter texts per request"
            )

    async def _answers(
        self,
        ticket: Ticket[Given],
        timeout_seconds: float,
        while_waiting: Callable[[], AbstractContextManager[None]],
    ) -> list[Given]:
        # After one turn of the loop an idle engine has answered a small request; only who waits
        # longer pays for a timer and for being watched.
        try:
            await asyncio.sleep(0)
            if not ticket.future.done():
                with while_waiting():
                    await self._wait(ticket, timeout_seconds)
        except BaseException:
            # cancelled, or told by while_waiting that nobody waits any more
            self._batcher.abandon(ticket)
            raise
        return ticket.future.result()

    async def _wait(self, ticket: Ticket[Any], timeout_seconds: float) -> None:
        timer = ticket.future.get_loop().call_later(timeout_seconds, self._expire, ticket)
        try:
            # cancelled with who waits for it, which is what abandoning it does too
            await ticket.future
        finally:
            timer.cancel()

    def _expire(self, ticket: Ticket[Any]) -> None:
        error = DeadlineExceeded(
            "the answer was not ready within the time allowed; send fewer texts per request or try "
            "again later"
        )
        self._batcher.abandon(ticket, error)

    def _predict(self, documents: list[WordIds]) -> list[Prediction]:
        return self.classifier.predict(self.engine.logits(documents))


def _labels(predictions: Sequence[Prediction]) -> list[str]:
    """Every label given, once for each text it was given to."""
    return [label for prediction in predictions for label in prediction.labels]


def _total(usages: Sequence[Usage]) -> TotalUsage:
    if len(usages) == 1:
        only = usages[0]
        return TotalUsage(1, *only[:4], truncated_texts=int(only.truncated))
    if not usages:
        return TotalUsage(0, 0, 0, 0, 0, 0)
    # a column at a time: of a thousand texts it holds the event loop
    characters, tokens, used, unknown, _ = zip(*usages, strict=True)
    return TotalUsage(
        texts=len(usages),
        characters=sum(characters),
        tokens=sum(tokens),
        tokens_used=sum(used),
        unknown_tokens=sum(unknown),
        truncated_texts=sum(map(lt, used, tokens)),
    )
