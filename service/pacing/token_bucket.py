"""A token bucket: how many may pass, of those that come in bursts."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """A token bucket (RFC 2697's idea) that may go into debt.

    ``rate`` tokens a second gather in it, ``most`` at once, and it begins full. Who finds anything
    in it is admitted, and what that turns out to cost is taken; so a large request passes at any
    rate, and the next waits until it is paid for.
    """

    __slots__ = ("_changed", "_clock", "_left", "_most", "rate")

    def __init__(
        self, rate: float, *, most: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self._most = most
        self._clock = clock
        self._left = most
        self._changed = clock()

    def take(self, count: int) -> None:
        """Take ``count``; what is not there is owed."""
        self._left = self.left() - count

    def left(self) -> float:
        """How many there are now; less than 0 if some are owed."""
        now = self._clock()
        self._left = min(self._left + (now - self._changed) * self.rate, self._most)
        self._changed = now
        return self._left

    def wait_seconds(self) -> float:
        """How long until one may be taken; 0 when it may now."""
        return max(0.0, (1.0 - self.left()) / self.rate)
