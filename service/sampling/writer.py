"""The thread that keeps the sample: the event loop never waits for the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from valence.service.observability.log import Log
from valence.service.sampling.sample import SampledText

if TYPE_CHECKING:
    from valence.service.sampling.store import Reservoir, SampleStore

_PURGE_SECONDS = 3_600.0
_DAY_SECONDS = 86_400.0


class SampleWriter:
    """Keeps the sample of a process in the store that ``open_store`` opens, in a thread of its own.

    Of each model and reason, ``most`` texts are kept, and none longer than ``days``; 0 keeps them.
    What comes while the database is busy is left out: a sample may be a smaller one.
    """

    def __init__(
        self, open_store: Callable[[], SampleStore], log: Log, *, most: int, days: float
    ) -> None:
        self._open_store = open_store
        self._log = log
        self._most = most
        self._days = days
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sample")
        self._store: SampleStore | None = None
        self._running: Future[None] | None = None
        self._next_purge = 0.0
        self._failing = False
        self.lowest: dict[Reservoir, float] = {}
        """The priority that a text must exceed to enter a reservoir, as far as it is known."""

    @property
    def busy(self) -> bool:
        """Whether the thread still writes what it was given last."""
        return self._running is not None and not self._running.done()

    def keep(self, samples: Sequence[SampledText]) -> None:
        """Keep ``samples`` soon, unless the thread is :attr:`busy`."""
        if not self.busy:
            self._running = self._thread.submit(self._keep, samples)

    async def close(self) -> None:
        """Return when what was given is written."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._store is not None:
            self._store.close()

    def _keep(self, samples: Sequence[SampledText]) -> None:
        try:
            if self._store is None:
                self._store = self._open_store()
            if self._days and time.monotonic() >= self._next_purge:
                self._next_purge = time.monotonic() + _PURGE_SECONDS
                self._store.delete_before(time.time() - self._days * _DAY_SECONDS)
            self.lowest = {**self.lowest, **self._store.keep(samples, most=self._most)}
        except Exception as error:
            # the type alone: a message may have a text
            if not self._failing:
                self._log.event("error", "sample not kept", type=type(error).__name__)
            self._failing = True
        else:
            self._failing = False
