"""A token bucket: limits a rate, and allows bursts."""

from __future__ import annotations

import time
from collections.abc import Callable

# With rates beyond these, a wait or a balance would no longer be a number.
MIN_RATE, MAX_RATE = 1e-6, 1e12


class TokenBucket:
    """A token bucket (the idea of RFC 2697) that may go into debt.

    ``rate`` is between :data:`MIN_RATE` and :data:`MAX_RATE`.

    The bucket begins full, with ``capacity`` tokens, and gains ``rate`` tokens per second. A
    request is admitted if the bucket holds any token. The cost of the request is taken later, when
    it is known. So a large request passes at any rate, and the next one waits until the debt is
    paid.
    """

    __slots__ = ("_balance", "_capacity", "_clock", "_updated", "rate")

    def __init__(
        self, rate: float, *, capacity: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self._capacity = capacity
        self._clock = clock
        self._balance = capacity
        self._updated = clock()

    def take(self, count: int) -> None:
        """Take ``count`` tokens; the balance may become negative."""
        self._fill()
        self._balance -= count

    def balance(self) -> float:
        """The number of tokens now; a negative number is a debt."""
        self._fill()
        return self._balance

    def _fill(self) -> None:
        """Add what has come since the last time."""
        now = self._clock()
        self._balance = min(self._balance + (now - self._updated) * self.rate, self._capacity)
        self._updated = now

    def wait_seconds(self) -> float:
        """Seconds until the bucket holds one token; 0 if it holds one now."""
        return max(0.0, (1.0 - self.balance()) / self.rate)
