"""The one thread in which a service reads its store and loads versions."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

_NICENESS = 5


class LoadThread:
    """Runs one piece of work after the other, with the time of a core that requests leave."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="reload", initializer=_yield_to_requests
        )

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Begin no further work."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _yield_to_requests() -> None:
    """Let the thread that loads have only the time of a core that requests leave.

    Linux has a priority for each thread. With a very low one, a thread that holds the interpreter's
    lock would wait long for a core that other programs want too.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
