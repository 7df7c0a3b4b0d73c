"""An event loop whose clock runs faster, so that a test of a minute takes some seconds."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop for which ``speed`` seconds pass in one."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_FastSelector(speed))

    def time(self) -> float:
        """The time in seconds of this loop."""
        return super().time() * self._speed


class _FastSelector(selectors.DefaultSelector):
    """A selector that waits as long as the seconds of its loop last."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> Any:
        """As the method of the base class, for a timeout in the seconds of the loop."""
        return super().select(timeout if timeout is None else timeout / self._speed)
