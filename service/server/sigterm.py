"""SIGTERM in the worker: told to the service, or delayed, before the server's own handler runs.

uvicorn installs its handler before the service starts, so these functions wrap that handler. They
belong to the main thread.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType


def call_at_sigterm(callback: Callable[[], object]) -> None:
    """Call ``callback`` in the running event loop at SIGTERM, beside the server's handler.

    Does nothing outside the main thread, where no handler can be set.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop, server_handler = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        if callable(server_handler):
            server_handler(number, frame)

    signal.signal(signal.SIGTERM, handle)


def delay_sigterm(seconds: float, callback: Callable[[], object]) -> None:
    """Call ``callback`` in the running event loop at SIGTERM, and the server's handler later.

    The server's handler runs ``seconds`` later, or at once at a second SIGTERM.
    """
    loop, server_handler = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, server_handler)
        loop.call_soon_threadsafe(callback)
        if callable(server_handler):
            loop.call_soon_threadsafe(loop.call_later, seconds, server_handler, number, frame)

    signal.signal(signal.SIGTERM, handle)
