"""Count the turns of the event loop that other tasks get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Turns:
    """Number of turns so far."""

    count: int = 0


@asynccontextmanager
async def counted() -> AsyncIterator[Turns]:
    """Count turns until the block ends."""
    turns = Turns()

    async def others() -> None:
        while True:
            turns.count += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    try:
        yield turns
    finally:
        running.cancel()
