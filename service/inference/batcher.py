"""The queue before an engine: what is admitted, in which order, and together with what.

Nothing waits on purpose. An idle engine starts with whatever arrived in the same turn of the event
loop; while it is busy, work gathers and the next batch is what gathered.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from valence.service.errors import DeadlineExceeded, Overloaded
from valence.service.observability.metrics.model import ModelMetrics

Answer = TypeVar("Answer")
Other = TypeVar("Other")
Query = TypeVar("Query", bound=Sized)

# A batch is sized to last about this long, so that what arrives meanwhile is not kept waiting.
BATCH_SECONDS = 0.0004
# ... but a slow engine still gets enough of it to be efficient, and a fast one no more than keeps a
# batch's memory small.
MIN_BATCH_TOKENS = 256
MAX_BATCH_TOKENS = 16_384
# Below this, running on the event loop costs less than handing over to the thread and back, and
# delays other connections less than they would notice.
INLINE_SECONDS = 0.002
# A turn of the event loop that was longer was spent on reading and refusing: as long goes to a
# batch, up to this, or a flood would take all the time from what was admitted.
LONGEST_BATCH_SECONDS = 0.1
# With every so many requests that wait, a batch may be as long again, up to so many times: who
# comes then waits for many in any case, and gains when they go faster.
LONG_QUEUE = 8
MOST_LONGER = 4
# Batches of fewer tokens tell what a batch costs, not what a token does.
FEW_TOKENS = 16
# Tokens a request may take a turn (deficit round robin, Shreedhar and Varghese 1995): the price in
# waiting that a thousand-text request can put on a one-text request behind it.
QUANTUM_TOKENS = 128
# Of the time a request allows, what it may be expected to take when it is admitted: who comes later
# takes turns with it.
_TIMELY = 0.5
# Weight of the newest batch in the measured speeds.
_NEWEST = 0.1
_ONE = range(1)


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What may wait; a request larger than that is admitted only to an empty queue."""

    items: int
    tokens: int


class Ticket(Generic[Answer]):
    """One request's documents on their way; ``future`` yields their answers in the order given."""

    __slots__ = (
        "answers",
        "costs",
        "deficit",
        "documents",
        "enqueued",
        "future",
        "missing",
        "order",
        "position",
        "started",
        "waiting_tokens",
        "work",
    )

    def __init__(
        self,
        documents: Sequence[Sized],
        costs: Sequence[int],
        tokens: int,
        work: Callable[[list[Any]], Sequence[Answer]],
        future: asyncio.Future[list[Answer]],
    ) -> None:
        self.documents = documents
        self.costs = costs
        self.work = work
        self.future = future
        # longest first, so that a batch taken from a large request holds texts of like length
        self.order: Sequence[int] = (
            _ONE
            if len(documents) == 1
            else sorted(range(len(costs)), key=costs.__getitem__, reverse=True)
        )
        self.position = 0
        self.waiting_tokens = tokens
        self.answers: list[Answer | None] = [None] * len(documents)
        self.missing = len(documents)
        self.deficit = 0
        self.enqueued = time.perf_counter()
        self.started = 0.0

    @property
    def waiting_items(self) -> int:
        """Documents not yet taken."""
        return len(self.documents) - self.position


class Batcher(Generic[Answer]):
    """Feeds ``work``, one batch at a time, from the requests of one model.

    ``work`` maps documents to as many answers, in order; it is called on the event loop's thread
    or on ``worker``'s, never on both at once. All methods belong to the event loop's thread. A
    document's length is its tokens. A request may bring work of its own, for documents that count
    what it costs: it waits in the same queue, and shares batches with its like.
    """

    def __init__(
        self,
        work: Callable[[list[Any]], Sequence[Answer]],
        *,
        limits: QueueLimits,
        worker: Executor,
        metrics: ModelMetrics,
    ) -> None:
        self._work = work
        self._limits = limits
        self._worker = worker
        self._metrics = metrics
        self._waiting: deque[Ticket[Any]] = deque()
        self._items = 0
        self._tokens = 0
        self._promised_items = 0
        self._promised_tokens = 0
        self._scheduled = False
        self._busy_since = 0.0
        # of the engine: a batch takes overhead + tokens * seconds_per_token
        self._overhead_seconds = 0.0
        self._seconds_per_token = 1e-5
        # of the whole path, while there is work: what Retry-After is computed from
        self._drained_tokens_per_second = 1e5
        self._last_finished = 0.0
        self._idle: asyncio.Event | None = None

    def calibrate(self, *, overhead_seconds: float, seconds_per_token: float) -> None:
        """Start from a measured speed rather than a guess; every batch refines it."""
        self._overhead_seconds = overhead_seconds
        self._seconds_per_token = seconds_per_token
        self._drained_tokens_per_second = 1 / seconds_per_token

    def submit(
        self,
        documents: Sequence[Sized],
        *,
        within_seconds: float = math.inf,
        admitted: bool = False,
    ) -> Ticket[Answer]:
        """Queue a request's documents; answers come by ``future``.

        Raises :class:`Overloaded` when the queue is full, or so long that the answer would come
        later than ``within_seconds``, but for documents that were ``admitted`` by
        :meth:`promised`; and :class:`DeadlineExceeded` when those seconds are over.
        """
        return self.submit_to(
            self._work, documents, within_seconds=within_seconds, admitted=admitted
        )

    def submit_to(
        self,
        work: Callable[[list[Query]], Sequence[Other]],
        documents: Sequence[Query],
        *,
        within_seconds: float = math.inf,
        admitted: bool = False,
    ) -> Ticket[Other]:
        """As :meth:`submit`, for ``work`` of the request's own."""
        # an empty document is work too
        costs = [len(document) or 1 for document in documents]
        tokens = sum(costs)
        if admitted:
            _require_time(within_seconds)
        else:
            self.require_room(items=len(documents), tokens=tokens, within_seconds=within_seconds)
        ticket: Ticket[Other] = Ticket(
            documents, costs, tokens, work, asyncio.get_running_loop().create_future()
        )
        if not documents:
            ticket.future.set_result([])
            return ticket
        self._items += len(documents)
        self._tokens += tokens
        self._waiting.append(ticket)
        self._schedule()
        return ticket

    def require_room(self, *, items: int, tokens: int, within_seconds: float = math.inf) -> None:
        """Raise what :meth:`submit` would for documents of so many ``tokens``."""
        waiting_items = self._items + self._promised_items
        waiting_tokens = self._tokens + self._promised_tokens
        if waiting_items and (
            waiting_items + items > self._limits.items
            or waiting_tokens + tokens > self._limits.tokens
        ):
            raise Overloaded(
                f"the queue has {waiting_items} texts with {waiting_tokens} tokens and may have "
                f"{self._limits.items} texts and {self._limits.tokens} tokens, so this request does "
                "not fit; try again after the time in Retry-After",
                retry_after_seconds=waiting_tokens / self._drained_tokens_per_second,
            )
        _require_time(within_seconds)
        # an idle engine refuses nobody, or a speed once measured too low would never be corrected
        if waiting_items and (wait := self._wait_seconds(tokens)) > _TIMELY * within_seconds:
            raise Overloaded(
                f"the answer would take about {wait:.2g} seconds, too long for the time allowed; "
                "try again after the time in Retry-After",
                retry_after_seconds=waiting_tokens / self._drained_tokens_per_second,
            )

    @contextmanager
    def promised(self, *, items: int, tokens: int, within_seconds: float) -> Iterator[bool]:
        """Keep room for documents that are still being made; raises what :meth:`submit` would.

        Making them costs as much as scoring them, so a request that is refused should be before
        that, and those that are not should not all begin with it at once. What was promised is
        kept: :meth:`submit` them as ``admitted``, which the context yields, as long as it lasts.
        """
        self.require_room(items=items, tokens=tokens, within_seconds=within_seconds)
        self._promised_items += items
        self._promised_tokens += tokens
        try:
            yield True
        finally:
            self._promised_items -= items
            self._promised_tokens -= tokens

    def abandon(self, ticket: Ticket[Any], error: DeadlineExceeded | None = None) -> None:
        """Take a request out of the queue: nobody waits for it, or it ends with ``error``."""
        if ticket.waiting_items:
            self._waiting.remove(ticket)
            self._items -= ticket.waiting_items
            self._tokens -= ticket.waiting_tokens
            ticket.position = len(ticket.documents)
        if not ticket.future.done():
            if error is None:
                ticket.future.cancel()
            else:
                ticket.future.set_exception(error)

    async def drain(self) -> None:
        """Return when nothing waits and the engine is idle."""
        while self._items or self._busy_since or self._scheduled:
            self._idle = asyncio.Event()
            await self._idle.wait()

    @property
    def busy_seconds(self) -> float:
        """How long the worker thread has been at its batch; 0 when it is idle."""
        return time.perf_counter() - self._busy_since if self._busy_since else 0.0

    def report(self) -> None:
        """Write what waits into the metrics."""
        oldest = min((ticket.enqueued for ticket in self._waiting), default=None)
        age = 0.0 if oldest is None else time.perf_counter() - oldest
        self._metrics.set_queue(items=self._items, tokens=self._tokens, age_seconds=age)

    def _wait_seconds(self, tokens: int) -> float:
        """When a request of ``tokens`` would have its answer, if it came now.

        In each of its turns every other waiting request has one too, but none takes more than it
        has left.
        """
        turns = -(-tokens // QUANTUM_TOKENS)
        ahead = min(self._tokens, turns * len(self._waiting) * QUANTUM_TOKENS)
        # what is promised is large, and will have as many turns
        ahead += self._promised_tokens if turns > 1 else 0
        return (ahead + tokens) / self._drained_tokens_per_second

    def _schedule(self) -> None:
        """Run once this turn's arrivals are in, unless the engine is at work."""
        if not self._scheduled and not self._busy_since:
            self._scheduled = True
            # the loop by a future: asking for the running one is a system call on Python 3.11
            self._waiting[0].future.get_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        longest = self._longest_seconds()
        # one that lasts no longer is computed on the event loop: on a core of its own, a thread
        # that takes turns with a busy loop gains nothing
        seconds = longest - self._overhead_seconds
        budget = max(int(seconds / self._seconds_per_token), MIN_BATCH_TOKENS)
        picked, tokens = self._take(min(budget, MAX_BATCH_TOKENS))
        if not picked:
            self._settle()
            return
        self._metrics.count_batch(items=len(picked), tokens=tokens)
        seconds = self._overhead_seconds + tokens * self._seconds_per_token
        if seconds <= max(INLINE_SECONDS, longest):
            self._finish(picked, tokens, *self._compute(picked, time.perf_counter))
            return
        self._busy_since = time.perf_counter()
        loop = picked[0][0].future.get_loop()
        # By its own processor time: there it also waits for the interpreter's lock, and a busy loop
        # would make the engine look slow, so that it would stay there.
        running = loop.run_in_executor(self._worker, self._compute, picked, time.thread_time)

        def land(done: asyncio.Future[tuple[list[Any], float]]) -> None:
            self._busy_since = 0.0
            # the loop is closing: nobody is left to tell
            if done.cancelled():
                return
            broken = done.exception()
            if broken is None:
                self._finish(picked, tokens, *done.result())
            else:
                # no answer, but no request that waits for one either
                error = RuntimeError(f"the engine's thread ended: {type(broken).__name__}")
                self._finish(picked, tokens, [error] * len(picked), 0.0)

        running.add_done_callback(land)

    def _longest_seconds(self) -> float:
        """How long the next batch may last."""
        turn = time.perf_counter() - self._last_finished if self._last_finished else 0.0
        queue = min(1 + len(self._waiting) // LONG_QUEUE, MOST_LONGER)
        return min(max(BATCH_SECONDS * queue, turn), LONGEST_BATCH_SECONDS)

    def _take(self, budget: int) -> tuple[list[tuple[Ticket[Any], int]], int]:
        """The next batch, as requests and the index of a document in each; and its tokens.

        They are ``budget`` at most, unless one document is more.
        """
        picked: list[tuple[Ticket[Any], int]] = []
        tokens = 0
        now = time.perf_counter()
        waiting = self._waiting
        full = False
        while waiting and not full:
            if picked and waiting[0].work != picked[0][0].work:
                break  # it has the first turn of the next batch
            ticket = waiting.popleft()
            # alone in the queue there is nobody to be fair to
            ticket.deficit = ticket.deficit + QUANTUM_TOKENS if waiting else budget
            if not ticket.position:
                ticket.started = now
            costs, order, total = ticket.costs, ticket.order, len(ticket.documents)
            while ticket.position < total:
                index = order[ticket.position]
                cost = costs[index]
                if picked and tokens + cost > budget:
                    full = True
                    break
                if picked and cost > ticket.deficit:
                    break
                picked.append((ticket, index))
                tokens += cost
                ticket.deficit -= cost
                ticket.waiting_tokens -= cost
                ticket.position += 1
            if ticket.position < total:
                # whose turn was cut short by a full batch has the first turn of the next
                (waiting.appendleft if full else waiting.append)(ticket)
        self._items -= len(picked)
        self._tokens -= tokens
        return picked, tokens

    def _compute(
        self, picked: list[tuple[Ticket[Any], int]], clock: Callable[[], float]
    ) -> tuple[list[Any], float]:
        """An answer or an error for each document, and how long the engine took by ``clock``."""
        started = clock()
        answers: list[Any] = []
        try:
            work = picked[0][0].work
            answers.extend(work([ticket.documents[index] for ticket, index in picked]))
            if len(answers) != len(picked):
                raise RuntimeError(f"{len(answers)} answers for {len(picked)} documents")
        except Exception as error:
            first = picked[0][0]
            if all(ticket is first for ticket, _ in picked):
                answers = [error] * len(picked)
            else:
                answers = self._compute_apart(picked)
        return answers, clock() - started

    def _compute_apart(self, picked: list[tuple[Ticket[Any], int]]) -> list[Any]:
        """Each request's documents alone, so that only the one the engine fails on fails."""
        places: dict[Ticket[Any], list[int]] = {}
        for place, (ticket, _) in enumerate(picked):
            places.setdefault(ticket, []).append(place)
        answers: dict[int, Any] = {}
        for own in places.values():
            alone, _ = self._compute([picked[place] for place in own], time.perf_counter)
            answers.update(zip(own, alone, strict=True))
        return [answers[place] for place in range(len(picked))]

    def _finish(
        self,
        picked: list[tuple[Ticket[Any], int]],
        tokens: int,
        answers: list[Any],
        seconds: float,
    ) -> None:
        """Hand out a batch's answers, learn its speed, and go on with what gathered."""
        for (ticket, index), answer in zip(picked, answers, strict=True):
            if ticket.future.done():
                continue
            if isinstance(answer, Exception):
                ticket.future.set_exception(answer)
                self.abandon(ticket)
                continue
            ticket.answers[index] = answer
            ticket.missing -= 1
            if not ticket.missing:
                ticket.future.set_result(ticket.answers)
        finished = time.perf_counter()
        self._overhead_seconds = min(self._overhead_seconds, seconds)
        if tokens >= FEW_TOKENS:
            per_token = max(seconds - self._overhead_seconds, 1e-6) / tokens
            self._seconds_per_token += _NEWEST * (per_token - self._seconds_per_token)
        # Only a queue that stays busy shows its speed: what passes between two of its batches is
        # part of what a token takes, and a batch of all there was may be too small to be efficient.
        if self._last_finished and self._items:
            rate = tokens / max(finished - self._last_finished, 1e-9)
            self._drained_tokens_per_second += _NEWEST * (rate - self._drained_tokens_per_second)
        self._last_finished = finished if self._items else 0.0
        if self._items:
            self.report()
        self._settle()

    def _settle(self) -> None:
        if self._waiting:
            self._schedule()
        elif self._idle is not None and not self._busy_since:
            self._idle.set()


def _require_time(within_seconds: float) -> None:
    if within_seconds <= 0:
        raise DeadlineExceeded("the time allowed was over before the texts were in the queue")
