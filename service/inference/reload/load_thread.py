"""The one thread in which a service reads its store and loads versions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from valence.service.pacing import background

Result = TypeVar("Result")


class LoadThread:
    """Runs one piece of work after the other, with the time of a core that requests leave."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="reload", initializer=background.enter
        )

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Begin no further work."""
        self._executor.shutdown(wait=False, cancel_futures=True)
