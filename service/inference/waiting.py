"""The wait of a request for its answers, until its deadline or its client's disconnect."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

from valence.service.errors import DeadlineExceeded
from valence.service.inference.batcher import Batcher
from valence.service.inference.fair_queue import Ticket
from valence.service.inference.scored import ScoreRequest

# uvloop has no timer for a request that waits for ever.
_MAX_TIMER_SECONDS = 86_400.0

Result = TypeVar("Result")


async def wait_for_answers(
    batcher: Batcher[Any], ticket: Ticket[Result], request: ScoreRequest
) -> list[Result]:
    """The answers of ``ticket``, which ``batcher`` holds for ``request``.

    The rate of the request's API key pays for the tokens. A request that is cancelled, or whose
    client disconnects, leaves the queue. Raises :class:`DeadlineExceeded` at the deadline.
    """
    if request.charge is not None:
        request.charge(ticket.waiting_tokens)
    # After one turn of the event loop an idle engine has answered a small request. Only a request
    # that waits longer pays for a timer and for watching its connection.
    try:
        await asyncio.sleep(0)
        if not ticket.future.done():
            with request.disconnect():
                await _wait_until(request.deadline, batcher, ticket)
    except BaseException:
        batcher.abandon(ticket)
        raise
    return ticket.future.result()


async def _wait_until(deadline: float, batcher: Batcher[Any], ticket: Ticket[Any]) -> None:
    seconds = min(deadline - time.perf_counter(), _MAX_TIMER_SECONDS)
    timer = ticket.future.get_loop().call_later(seconds, _expire, batcher, ticket)
    try:
        # a cancelled waiter cancels the future, as abandoning the ticket does
        await ticket.future
    finally:
        timer.cancel()


def _expire(batcher: Batcher[Any], ticket: Ticket[Any]) -> None:
    error = DeadlineExceeded(
        "the answer was not ready within the time allowed; send fewer texts per request or try "
        "again later"
    )
    batcher.abandon(ticket, error)
