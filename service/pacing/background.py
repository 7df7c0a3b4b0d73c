"""Threads of the background: they leave a core and the interpreter's lock to requests.

A call in C keeps the interpreter's lock until it returns, and a thread that runs keeps its core for
some milliseconds. So work in the background has short pieces with pauses between them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Sized
from typing import Any, TypeVar

# Linux has a priority for each thread. With a very low one, a thread that holds the interpreter's
# lock would wait long for a core that other programs want too.
_NICENESS = 5
_MIN_PAUSE, _MAX_PAUSE = 0.0002, 0.002
# the length of a pause beside that of the work before
_REST = 3.0
PIECE_WORDS = 1_024
"""How many words of a vocabulary are looked at between two pauses."""

_thread = threading.local()

Whole = TypeVar("Whole", bound=Sized)


def enter() -> None:
    """Make this thread one of the background until it ends."""
    if sys.platform == "linux":
        # A thread of this policy takes no core from another when it wakes. In a process of the
        # idle class a thread may not choose more.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    _thread.resumed = time.thread_time()


def entered() -> bool:
    """Whether this thread is one of the background."""
    return hasattr(_thread, "resumed")


def pause() -> None:
    """Let other threads run, for longer than this one has run; the foreground has no pauses."""
    if entered():
        worked = time.thread_time() - _thread.resumed
        time.sleep(min(max(_REST * worked, _MIN_PAUSE), _MAX_PAUSE))
        _thread.resumed = time.thread_time()


def cut(whole: Whole, size: int) -> Iterator[Whole]:
    """The pieces of a list, a tuple or an array, ``size`` items each, with a pause after each."""
    sliceable: Any = whole
    for start in range(0, len(whole), size):
        yield sliceable[start : start + size]
        pause()
