"""The batcher before an engine: when the next batch starts, how large it is, where it runs.

Nothing waits on purpose. An idle engine starts with the requests that arrived in the same turn of
the event loop. While the engine is busy, requests gather, and the next batch is taken from them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from valence.service.errors import DeadlineExceeded
from valence.service.inference.admission import Admission, require_time
from valence.service.inference.fair_queue import Batch, Ticket
from valence.service.observability.metrics.model import ModelMetrics

Answer = TypeVar("Answer")
OtherAnswer = TypeVar("OtherAnswer")
Query = TypeVar("Query", bound=Sized)

# A batch is sized to last about this long, so that requests which arrive meanwhile wait briefly.
BATCH_SECONDS = 0.0004
# A slow engine still gets batches large enough to be efficient, and a batch of a fast engine stays
# small enough for its memory.
MIN_BATCH_TOKENS = 256
MAX_BATCH_TOKENS = 16_384
# A shorter batch runs on the event loop: a hand-over to the thread and back costs more, and other
# connections hardly notice the delay.
INLINE_SECONDS = 0.002
# A longer turn of the event loop was spent on reading and refusing requests. The next batch may
# last as long as that turn, up to this; otherwise a flood would take all the time from the requests
# that were admitted.
MAX_BATCH_SECONDS = 0.1
# A longer batch runs on the thread after all, so that probes are answered meanwhile.
MAX_INLINE_SECONDS = 0.05
# For each so many requests that wait, a batch may last BATCH_SECONDS longer, up to so many times as
# long. A request that comes then waits for many others anyway, and gains when they go faster.
REQUESTS_PER_LENGTHENING = 8
MAX_LENGTHENING = 4
# The time of a smaller batch says what a batch costs, and little about what a token costs.
MIN_TIMED_TOKENS = 16
# The weight of the newest batch in the measured speeds.
_NEWEST_WEIGHT = 0.1


class Batcher(Generic[Answer]):
    """Feeds ``work``, one batch at a time, from the requests of one model.

    ``work`` maps documents to as many answers, in order. It is called on the event loop's thread
    or on ``worker``'s, never on both at once. All methods belong to the event loop's thread. A
    document's length is its tokens. A request may bring its own work, for documents whose lengths
    are its cost: the request waits in the same queue, and shares batches with requests of the same
    work.
    """

    def __init__(
        self,
        work: Callable[[list[Any]], Sequence[Answer]],
        *,
        admission: Admission,
        worker: Executor,
        metrics: ModelMetrics,
    ) -> None:
        self._work = work
        self._admission = admission
        self._queue = admission.queue
        self._worker = worker
        self._metrics = metrics
        self._scheduled = False
        self._busy_since = 0.0
        # A batch takes the engine overhead + tokens * seconds_per_token.
        self._overhead_seconds = 0.0
        self._seconds_per_token = 1e-5
        self._last_finished = 0.0
        self._idle: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.timed = False
        """Whether tickets are told the processor time of their documents."""

    def calibrate(self, *, overhead_seconds: float, seconds_per_token: float) -> None:
        """Start from a measured speed instead of a guess; every batch refines it."""
        self._overhead_seconds = overhead_seconds
        self._seconds_per_token = seconds_per_token
        self._admission.tokens_per_second = 1 / seconds_per_token

    def submit(
        self,
        documents: Sequence[Sized],
        *,
        within_seconds: float = math.inf,
        reserved: bool = False,
    ) -> Ticket[Answer]:
        """Queue the documents of a request; its answers come by the ticket's ``future``.

        Raises as :meth:`Admission.require_room`. Documents with a reservation, as
        :meth:`Admission.reserve` yields it, are only refused when ``within_seconds`` are over.
        """
        return self.submit_work(
            self._work, documents, within_seconds=within_seconds, reserved=reserved
        )

    def submit_work(
        self,
        work: Callable[[list[Query]], Sequence[OtherAnswer]],
        documents: Sequence[Query],
        *,
        within_seconds: float = math.inf,
        reserved: bool = False,
    ) -> Ticket[OtherAnswer]:
        """As :meth:`submit`, for the request's own ``work``."""
        # an empty document is work too
        costs = [len(document) or 1 for document in documents]
        tokens = sum(costs)
        if reserved:
            require_time(within_seconds)
        else:
            self._admission.require_room(len(documents), tokens, within_seconds=within_seconds)
        ticket: Ticket[OtherAnswer] = Ticket(
            documents, costs, tokens, work, self._find_loop().create_future()
        )
        if not documents:
            ticket.future.set_result([])
            return ticket
        self._queue.append(ticket)
        self._schedule()
        return ticket

    def abandon(self, ticket: Ticket[Any], error: DeadlineExceeded | None = None) -> None:
        """Take a request out of the queue; its future ends with ``error``, or is cancelled."""
        self._queue.remove(ticket)
        if not ticket.future.done():
            if error is None:
                ticket.future.cancel()
            else:
                ticket.future.set_exception(error)

    async def drain(self) -> None:
        """Return when nothing waits and the engine is idle."""
        while self._queue.items or self._busy_since or self._scheduled:
            self._idle = asyncio.Event()
            await self._idle.wait()

    @property
    def busy_seconds(self) -> float:
        """How long the worker thread has computed its batch; 0 when the thread is idle."""
        return time.perf_counter() - self._busy_since if self._busy_since else 0.0

    def report(self) -> None:
        """Write the state of the queue into the metrics."""
        queue = self._queue
        self._metrics.set_queue(
            items=queue.items, tokens=queue.tokens, age_seconds=queue.oldest_seconds()
        )

    def _find_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, which is asked for once: it costs a system call (Python 3.11)."""
        if self._loop is None or not self._loop.is_running():
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _schedule(self) -> None:
        """Start a batch once this turn's requests have arrived, unless the engine is busy."""
        if not self._scheduled and not self._busy_since:
            self._scheduled = True
            # The future knows the loop; to ask for the running loop is a system call (Python 3.11).
            self._queue.first.future.get_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        # A batch within this length runs on the event loop. Even on its own core, a thread that
        # alternates with a busy loop gains nothing.
        max_seconds = self._max_batch_seconds()
        budget = max(
            int((max_seconds - self._overhead_seconds) / self._seconds_per_token), MIN_BATCH_TOKENS
        )
        picked, tokens = self._queue.take(min(budget, MAX_BATCH_TOKENS))
        if not picked:
            self._continue()
            return
        self._metrics.count_batch(items=len(picked), tokens=tokens)
        seconds = self._overhead_seconds + tokens * self._seconds_per_token
        if seconds <= min(max(INLINE_SECONDS, max_seconds), MAX_INLINE_SECONDS):
            self._finish(picked, tokens, *self._compute(picked, time.perf_counter))
            return
        self._busy_since = time.perf_counter()
        loop = picked[0][0].future.get_loop()
        # The thread's own processor time: the thread also waits for the interpreter's lock, and
        # with a busy loop the engine would look slow, so that its batches would stay on the thread.
        running = loop.run_in_executor(self._worker, self._compute, picked, time.thread_time)

        def land(done: asyncio.Future[tuple[list[Any], float]]) -> None:
            self._busy_since = 0.0
            # the loop is closing: no request waits any more
            if done.cancelled():
                return
            failure = done.exception()
            if failure is None:
                self._finish(picked, tokens, *done.result())
            else:
                # each request of the batch ends with an error
                error = RuntimeError(f"the engine's thread ended: {type(failure).__name__}")
                self._finish(picked, tokens, [error] * len(picked), 0.0)

        running.add_done_callback(land)

    def _max_batch_seconds(self) -> float:
        """How long the next batch may last."""
        turn = time.perf_counter() - self._last_finished if self._last_finished else 0.0
        lengthening = min(1 + len(self._queue) // REQUESTS_PER_LENGTHENING, MAX_LENGTHENING)
        return min(max(BATCH_SECONDS * lengthening, turn), MAX_BATCH_SECONDS)

    def _compute(self, picked: Batch, clock: Callable[[], float]) -> tuple[list[Any], float]:
        """An answer or an error for each document, and the seconds by ``clock`` it all took."""
        started = clock()
        began = time.thread_time() if self.timed else 0.0
        answers: list[Any] = []
        try:
            work = picked[0][0].work
            answers.extend(work([ticket.documents[index] for ticket, index in picked]))
            if len(answers) != len(picked):
                raise RuntimeError(f"{len(answers)} answers for {len(picked)} documents")
            if self.timed:
                _share_time(picked, time.thread_time() - began)
        except Exception as error:
            first = picked[0][0]
            if all(ticket is first for ticket, _ in picked):
                answers = [error] * len(picked)
            else:
                answers = self._compute_apart(picked)
        return answers, clock() - started

    def _compute_apart(self, picked: Batch) -> list[Any]:
        """Compute each request alone, so that only the request on which the engine fails fails."""
        positions: dict[Ticket[Any], list[int]] = {}
        for position, (ticket, _) in enumerate(picked):
            positions.setdefault(ticket, []).append(position)
        answers: dict[int, Any] = {}
        for positions_of_ticket in positions.values():
            documents = [picked[position] for position in positions_of_ticket]
            computed, _ = self._compute(documents, time.perf_counter)
            answers.update(zip(positions_of_ticket, computed, strict=True))
        return [answers[position] for position in range(len(picked))]

    def _finish(self, picked: Batch, tokens: int, answers: list[Any], seconds: float) -> None:
        """Hand out the answers of a batch, update the measured speeds, and continue."""
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
        self._measure(tokens, seconds)
        if self._queue.items:
            self.report()
        self._continue()

    def _measure(self, tokens: int, seconds: float) -> None:
        """Update the measured speeds by a batch that took the engine ``seconds``."""
        finished = time.perf_counter()
        self._overhead_seconds = min(self._overhead_seconds, seconds)
        if tokens >= MIN_TIMED_TOKENS:
            per_token = max(seconds - self._overhead_seconds, 1e-6) / tokens
            self._seconds_per_token += _NEWEST_WEIGHT * (per_token - self._seconds_per_token)
        # Only a queue that stays busy shows how fast it empties: the time between two of its
        # batches is a part of the cost of a token, and a batch that emptied the queue may be too
        # small to be efficient.
        admission = self._admission
        if self._last_finished and self._queue.items:
            rate = tokens / max(finished - self._last_finished, 1e-9)
            admission.tokens_per_second += _NEWEST_WEIGHT * (rate - admission.tokens_per_second)
        self._last_finished = finished if self._queue.items else 0.0

    def _continue(self) -> None:
        """Schedule the next batch, or tell :meth:`drain` that the engine is idle."""
        if self._queue.items:
            self._schedule()
        elif self._idle is not None and not self._busy_since:
            self._idle.set()


def _share_time(picked: Batch, seconds: float) -> None:
    """Tell each ticket of a batch its share of ``seconds``, by tokens."""
    per_token = seconds / sum(ticket.costs[index] for ticket, index in picked)
    for ticket, index in picked:
        ticket.seconds += per_token * ticket.costs[index]
