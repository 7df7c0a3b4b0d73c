"""The line that tells a person at a terminal where the service answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence

from valence.service.server.event_loop import BatchAcceptLoop


async def announce(models: Sequence[str]) -> None:
    """Write one line to standard error once this worker answers requests.

    Standard output is for the log, whose lines are JSON. In a container nobody sits at a terminal,
    and its log may be read as JSON whole, so the line is left out.
    """
    loop = asyncio.get_running_loop()
    if "BENTOML_CONTAINERIZED" in os.environ or not isinstance(loop, BatchAcceptLoop):
        return
    # the models may be loaded before the socket is open
    await loop.listening.wait()
    # a terminal that is closed does not concern the service
    with contextlib.suppress(OSError):
        sys.stderr.write(
            f"valence: ready at {loop.url} with {', '.join(models)}; playground: {loop.url}/\n"
        )
        sys.stderr.flush()
