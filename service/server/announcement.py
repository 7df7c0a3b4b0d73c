"""The line that tells a person at a terminal where the service answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from valence.service.server.event_loop import BatchAcceptLoop


async def announce(models: Sequence[str], write: Callable[[str], object]) -> None:
    """Write one line with ``write`` to standard error, once this worker answers requests.

    ``write`` must not wait for a reader: the event loop would wait with it. Standard output is for
    the log, whose lines are JSON. In a container nobody sits at a terminal, and its log may be read
    as JSON whole, so the line is left out.
    """
    loop = asyncio.get_running_loop()
    if "BENTOML_CONTAINERIZED" in os.environ or not isinstance(loop, BatchAcceptLoop):
        return
    # the models may be loaded before the socket is open
    await loop.listening.wait()
    write(f"valence: ready at {loop.url} with {', '.join(models)}; playground: {loop.url}/\n")
