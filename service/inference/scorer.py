"""One served model: from texts to results, through the queue that all dialects share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import pydantic_core
from valence.service.classifier.classifier import (
    Classifier,
    Document,
    Prediction,
    Usage,
    require_finite,
)
from valence.service.classifier.result import ResultWriter
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import TextTooLong
from valence.service.inference import long_texts, warm_up
from valence.service.inference.admission import Admission, QueueLimits
from valence.service.inference.batcher import Batcher
from valence.service.inference.cache import AnswerCache
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.explainer import Explanation, TextActivations
from valence.service.inference.explanations import Explanations
from valence.service.inference.fair_queue import FairQueue, Ticket
from valence.service.inference.long_texts import SplitText
from valence.service.inference.request_cost import LARGE_ANSWER, RequestCost
from valence.service.inference.scored import (
    Answer,
    Scored,
    ScoreRequest,
    Stages,
    TotalUsage,
    sum_usages,
)
from valence.service.inference.turns import Turns
from valence.service.inference.waiting import wait_for_answers
from valence.service.monitoring.monitor import Monitor
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics
from valence.service.sampling.sampler import Sampler

# Tokenizing holds the event loop. A large request gives other requests a turn after so many
# characters, which are tokenized in about a quarter of a millisecond.
_TURN_CHARACTERS = 2_000


class Scorer:
    """Tokenizes, queues and predicts with one classifier on one engine.

    With a ``cache``, a text whose answer the cache holds is neither tokenized nor queued.
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
        self.results = ResultWriter(self.manifest.labels)
        self.opening = pydantic_core.to_json(
            {"model": {"name": self.name, "version": self.version}}
        )[:-1]
        """How an answer in JSON begins."""
        self.monitor: Monitor | None = None
        """Counts the answers, if the service is to watch them."""
        self.sampler: Sampler | None = None
        """Keeps a few texts, if the operator wants a sample."""
        self._observer: Observer | None = None
        self._cache = cache
        self._limits = limits.request
        one = self._count_cost(scores=0)
        one.add_results(1)
        # fewer texts have an answer that needs no account
        self._few_texts = LARGE_ANSWER // one.answer_bytes
        self._metrics = ModelMetrics(
            metrics,
            name=self.name,
            version=self.version,
            labels=self.manifest.labels,
            engine=engine.name,
        )
        self.admission = Admission(FairQueue(), limits, max_tokens=self.manifest.max_tokens)
        # not a bound method: in a circle of references, a replaced scorer would keep its memory
        self._predict = partial(_predict, classifier, engine)
        self._batcher: Batcher[Prediction] = Batcher(
            self._predict, admission=self.admission, worker=worker, metrics=self._metrics
        )
        self._explanations = Explanations(classifier, engine, self._batcher)

    def calibrate(self) -> None:
        """Measure the engine, before the first request pays for its first call."""
        words = len(self.classifier.artifact.vocabulary)
        overhead_seconds, seconds_per_token = warm_up.measure_speed(self._predict, words=words)
        self._batcher.calibrate(
            overhead_seconds=overhead_seconds, seconds_per_token=seconds_per_token
        )

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` each request with its answer, and the time that the engine took."""
        self._observer = observer
        self._batcher.timed = True

    def score(self, request: ScoreRequest) -> Coroutine[Any, Any, Scored]:
        """A result or a fault for each text of ``request``.

        Explanations wait in the same queue once the labels are known, at their own cost.

        Raises :class:`TextTooLong`, before any text is scored, if the truncation refuses a text
        and the request is not ``partial``; :class:`InvalidRequest` when the request costs more than
        one may, or has more windows and sentences than the queue may ever hold;
        :class:`Overloaded` when the queue is full; and
        :class:`DeadlineExceeded` when the deadline passes. A caller that is cancelled leaves the
        queue. The request's ``disconnect`` is entered only if the answer is not ready at once.
        """
        if self._observer is not None:
            return self._score_observed(self._observer, request)
        return self._score(request)

    async def _score_observed(self, observer: Observer, request: ScoreRequest) -> Scored:
        scored = await self._score(request)
        observer(self, request, scored)
        return scored

    def _score(self, request: ScoreRequest) -> Coroutine[Any, Any, Scored]:
        if request.sentences or request.explain:
            return self._score_split(request)
        if len(request.texts) > self._few_texts:
            cost = self._count_cost(request.scores)
            cost.add_results(len(request.texts))
            cost.hold(request.hold)
        # the cache keeps the answers for whole texts, without explanations
        if self._cache is not None and not request.shadow:
            return self._score_cached(self._cache, request)
        return (self._score_heads if request.truncation == "head" else self._score_split)(request)

    async def _score_cached(self, cache: AnswerCache, request: ScoreRequest) -> Scored:
        model = f"{self.name}:{self.version}:{request.truncation}"
        keys = [cache.key(model, text) for text in request.texts]
        answers: list[Answer | TextTooLong | None] = [cache.get(key) for key in keys]
        hits = [answer for answer in answers if isinstance(answer, tuple)]
        if hits and self.monitor is not None:
            self.monitor.observe(request.texts, *zip(*hits, strict=True))
        missing = [index for index, answer in enumerate(answers) if answer is None]
        stages, misses, cost, engine_seconds = Stages(), 0, 0, 0.0
        if missing:
            score = self._score_heads if request.truncation == "head" else self._score_split
            computed = await score(
                request._replace(texts=[request.texts[index] for index in missing])
            )
            stages, misses, cost = computed.stages, computed.usage.texts, computed.cost
            if len(missing) == len(keys):
                engine_seconds = computed.engine_seconds
            for index, answer in zip(missing, computed.answers, strict=True):
                answers[index] = answer
                if isinstance(answer, tuple):
                    cache.put(keys[index], answer)
        labels = _labels([answer[0] for answer in hits])
        self._metrics.count_cached(labels, hits=len(hits), misses=misses)
        complete = [answer for answer in answers if answer is not None]
        usages = [answer[1] for answer in complete if isinstance(answer, tuple)]
        return Scored(
            complete, sum_usages(usages), stages, cost=cost, engine_seconds=engine_seconds
        )

    async def _score_heads(self, request: ScoreRequest) -> Scored:
        """Score the first tokens of each text: the shortest way, which most requests take."""
        arrived = time.perf_counter()
        texts = request.texts
        within_seconds = request.deadline - arrived
        with self.admission.reserve_texts(texts, within_seconds=within_seconds) as reserved:
            if reserved:
                request.hold(_size(texts))
            documents = (
                await self._encode(request)
                if reserved or len(texts) > 1
                else [self.classifier.encode_head(texts[0])]
            )
            encoded = time.perf_counter()
            ticket = self._batcher.submit(
                [document.ids for document in documents],
                within_seconds=request.deadline - encoded,
                reserved=reserved,
            )
        predictions = await wait_for_answers(self._batcher, ticket, request)
        usages = [document.usage for document in documents]
        usage, stages = self._record(request, ticket, predictions, usages, encoded - arrived)
        answers = list(zip(predictions, usages, strict=True))
        return Scored(answers, usage, stages, cost=usage.tokens, engine_seconds=ticket.seconds)

    async def _score_split(self, request: ScoreRequest) -> Scored:
        """Score texts in windows or sentences, or with explanations."""
        arrived = time.perf_counter()
        turns, cost = Turns(request.deadline), self._count_cost(request.scores)
        whole = request.sentences or request.explain or request.truncation == "window"
        with self.admission.reserve_texts(
            request.texts,
            within_seconds=request.deadline - arrived,
            whole=whole,
        ) as reserved:
            if reserved:
                request.hold(_size(request.texts))
            cost.add_results(len(request.texts))
            split = await long_texts.split_texts(self.classifier, request, cost, turns)
            if request.sentences or request.explain:
                cost.hold(request.hold)
            faults = [text for text in split if isinstance(text, TextTooLong)]
            if faults and not request.partial:
                raise faults[0]
            if len(faults) == len(split):
                return Scored(faults, TotalUsage(), Stages())
            sound = [text for text in split if isinstance(text, SplitText)]
            ids = long_texts.windows(sound)
            self.admission.require_fit(ids, texts=len(sound))
            encoded = time.perf_counter()
            ticket = self._batcher.submit(
                ids,
                within_seconds=request.deadline - encoded,
                # of texts that are not read whole, the reservation is for one document each
                reserved=reserved and (whole or len(ids) <= len(request.texts)),
            )
        answers = await wait_for_answers(self._batcher, ticket, request)
        predictions, sentences = await long_texts.merge(self.classifier, sound, answers, turns)
        usages = [text.usage for text in sound]
        recorded = _leave_out_faults(request, split) if faults else request
        usage, stages = self._record(recorded, ticket, predictions, usages, encoded - arrived)
        tokens = usage.tokens + sum(map(len, ids)) - usage.tokens_used
        explanations: Sequence[Explanation] = ()
        if request.explain:
            explanations, explained = await self._explanations.explain(
                request, sound, predictions, turns
            )
            tokens += explained
        results = zip(predictions, usages, strict=True)
        return Scored(
            [text if isinstance(text, TextTooLong) else next(results) for text in split],
            usage,
            stages,
            sentences if request.sentences else (),
            explanations,
            tokens,
            request.deadline,
            0.0 if request.sentences else ticket.seconds,
        )

    def _record(
        self,
        request: ScoreRequest,
        ticket: Ticket[Prediction],
        predictions: Sequence[Prediction],
        usages: Sequence[Usage],
        tokenize_seconds: float,
    ) -> tuple[TotalUsage, Stages]:
        """Write a request whose labels are known into the metrics."""
        usage = sum_usages(usages)
        now = time.perf_counter()
        stages = Stages(tokenize_seconds, ticket.started - ticket.enqueued, now - ticket.started)
        if not request.shadow:
            self._metrics.count_scored(
                _labels(predictions),
                ScoringRecord(usage.tokens, usage.unknown_tokens, usage.truncated_texts, *stages),
            )
            if self.monitor is not None:
                self.monitor.observe(request.texts, predictions, usages)
            if self.sampler is not None:
                self.sampler.observe(request.texts, predictions, usages)
        return usage, stages

    async def activations(self, request: ScoreRequest, *, max_units: int) -> TextActivations:
        """The ``max_units`` units of the network that tell most about the one text of ``request``.

        Each unit comes with its activation at each token that is read. Raises what :meth:`score`
        raises.
        """
        cost = self._count_cost(scores=0)
        return await self._explanations.show_activations(request, cost, max_units=max_units)

    def count_uncertain(self, texts: int) -> None:
        """Count ``texts`` that were answered without a label, because none is likely enough."""
        self._metrics.count_uncertain(texts)

    def enter_service(self) -> None:
        """Let the metrics name this version as one that is served."""
        self._metrics.set_served()
        if self.monitor is not None:
            self.monitor.begin()

    def leave_service(self, *, version_stays: bool) -> None:
        """Write the last counts, and take the version out of the metrics unless it stays.

        It stays if another scorer serves it.
        """
        self._metrics.flush()
        if self.monitor is not None:
            self.monitor.flush()
        if self.sampler is not None:
            self.sampler.flush()
        if not version_stays:
            self._metrics.retire()
            if self.monitor is not None:
                self.monitor.end()

    async def drain(self) -> None:
        """Return when every admitted request has its answer."""
        await self._batcher.drain()

    @property
    def busy_seconds(self) -> float:
        """How long the worker thread has computed its batch; 0 when the thread is idle."""
        return self._batcher.busy_seconds

    def report(self) -> None:
        """Write the state of the queue into the metrics."""
        self._batcher.report()
        self._metrics.flush()
        if self.monitor is not None:
            self.monitor.flush()

    def _count_cost(self, scores: int) -> RequestCost:
        """An account of the cost of one request, for ``scores`` labels in each result."""
        return RequestCost(self._limits, self.manifest.labels, scores=scores)

    async def _encode(self, request: ScoreRequest) -> list[Document]:
        classifier, max_tokens = self.classifier, self.manifest.max_tokens
        turns = Turns(request.deadline)
        documents = []
        characters = 0
        for text in request.texts:
            characters += len(text)
            if characters > _TURN_CHARACTERS:
                characters = 0
                await turns.give()
            if len(text) <= long_texts.ONE_TURN_CHARACTERS:
                documents.append(classifier.encode_head(text))
            else:
                encoded = await long_texts.encode(classifier, text, turns, max_tokens=max_tokens)
                documents.append(classifier.select_head(text, encoded))
        return documents


Observer = Callable[[Scorer, ScoreRequest, Scored], None]


def _predict(classifier: Classifier, engine: Engine, documents: list[WordIds]) -> list[Prediction]:
    logits = engine.logits(documents)
    require_finite(logits)
    return classifier.predict(logits)


def _leave_out_faults(
    request: ScoreRequest, split: Sequence[SplitText | TextTooLong]
) -> ScoreRequest:
    """``request`` with the texts that have an answer."""
    texts = [
        text
        for text, found in zip(request.texts, split, strict=True)
        if isinstance(found, SplitText)
    ]
    return request._replace(texts=texts)


def _size(texts: Sequence[str]) -> int:
    """The bytes of memory of ``texts``: a character takes one to four."""
    return sum(map(sys.getsizeof, texts))


def _labels(predictions: Sequence[Prediction]) -> list[str]:
    """Every label, once for each text to which it was given."""
    return [label for prediction in predictions for label in prediction.labels]
