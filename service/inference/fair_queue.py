"""The requests that wait for an engine, and the next batch of their documents.

Requests take turns by deficit round robin (Shreedhar and Varghese 1995).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")

# Tokens that a request may add to a batch in one turn: a request of a thousand texts delays a
# one-text request behind it by at most these tokens.
QUANTUM_TOKENS = 128
# Of the requests with more tokens, only so many take turns; the others wait for one of them to end.
# If all took turns, all would end late, and what they hold would leave the caches meanwhile.
LARGE_TOKENS = 1_024
MAX_LARGE_IN_TURN = 4
_ONE_DOCUMENT = range(1)


class Ticket(Generic[Answer]):
    """The documents of one request; ``future`` yields their answers in the order given.

    ``seconds`` is the processor time of the engine for them, if the batcher is ``timed``. Of a
    batch that requests share, each has its share by tokens.
    """

    __slots__ = (
        "answers",
        "costs",
        "deficit",
        "documents",
        "enqueued",
        "future",
        "large",
        "missing",
        "order",
        "position",
        "seconds",
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
        # The longest document comes first, so that a batch of a large request holds documents of
        # similar length.
        self.order: Sequence[int] = (
            _ONE_DOCUMENT
            if len(documents) == 1
            else sorted(range(len(costs)), key=costs.__getitem__, reverse=True)
        )
        self.position = 0
        self.waiting_tokens = tokens
        self.large = tokens > LARGE_TOKENS
        self.answers: list[Answer | None] = [None] * len(documents)
        self.missing = len(documents)
        self.deficit = 0
        self.enqueued = time.perf_counter()
        self.started = 0.0
        self.seconds = 0.0

    @property
    def waiting_items(self) -> int:
        """The number of documents that still wait."""
        return len(self.documents) - self.position


Batch = list[tuple[Ticket[Any], int]]
"""The documents of a batch, each as its ticket and its index there."""


class FairQueue:
    """The tickets that wait, the first in turn first; ``items`` and ``tokens`` are their sums."""

    def __init__(self) -> None:
        self.items = 0
        self.tokens = 0
        self._tickets: deque[Ticket[Any]] = deque()
        # large tickets that take no turns yet, and the number of those that do
        self._held: deque[Ticket[Any]] = deque()
        self._large = 0

    def __len__(self) -> int:
        return len(self._tickets) + len(self._held)

    @property
    def first(self) -> Ticket[Any]:
        """The ticket that has the next turn; raises ``IndexError`` when nothing waits."""
        return self._tickets[0]

    def oldest_seconds(self) -> float:
        """The age of the oldest ticket; 0 when nothing waits."""
        # those that are held came later than one in turn
        oldest = min((ticket.enqueued for ticket in self._tickets), default=None)
        return 0.0 if oldest is None else time.perf_counter() - oldest

    def append(self, ticket: Ticket[Any]) -> None:
        """Add a ticket, which must have documents, behind the others."""
        self.items += len(ticket.documents)
        self.tokens += ticket.waiting_tokens
        if ticket.large and self._large >= MAX_LARGE_IN_TURN:
            self._held.append(ticket)
            return
        self._large += ticket.large
        self._tickets.append(ticket)

    def remove(self, ticket: Ticket[Any]) -> None:
        """Remove the documents of ``ticket`` that still wait."""
        if ticket.waiting_items:
            if ticket in self._held:
                self._held.remove(ticket)
            else:
                self._tickets.remove(ticket)
                self._end_turns(ticket)
            self.items -= ticket.waiting_items
            self.tokens -= ticket.waiting_tokens
            ticket.position = len(ticket.documents)

    def _end_turns(self, ticket: Ticket[Any]) -> None:
        """Let the next large ticket take turns, if ``ticket``, which takes no more, was large."""
        if not ticket.large:
            return
        if self._held:
            self._tickets.append(self._held.popleft())
        else:
            self._large -= 1

    def take(self, budget: int) -> tuple[Batch, int]:
        """Take the next batch out of the queue; return it and its tokens.

        The batch has at most ``budget`` tokens, or a single document that has more. All its
        tickets have the same work.
        """
        picked: Batch = []
        tokens = 0
        now = time.perf_counter()
        waiting = self._tickets
        full = False
        while waiting and not full:
            if picked and waiting[0].work != picked[0][0].work:
                break  # that ticket has the first turn of the next batch
            ticket = waiting.popleft()
            # a ticket that waits alone delays no other
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
                # a ticket whose turn a full batch cut short has the first turn of the next batch
                (waiting.appendleft if full else waiting.append)(ticket)
            else:
                self._end_turns(ticket)
        self.items -= len(picked)
        self.tokens -= tokens
        return picked, tokens
