"""A fake engine that blocks the queue."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class Blocked:
    """Engine that waits until the test opens it."""

    name = "blocked"

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.batches = 0

    def logits(self, documents: list[Any]) -> np.ndarray:
        self.batches += 1
        assert self.opened.wait(5)
        return np.zeros((len(documents), 3), dtype=np.float32)


def slow(served: Any) -> None:
    """Make the batcher measure its engine as slow, so that it uses the thread."""
    served.models.get()._batcher.calibrate(overhead_seconds=0.0, seconds_per_token=1.0)
