"""What ``bentoml serve``'s first process does when its worker is gone, and when it ends itself.

BentoML looks after its worker every ten seconds. Outside a container it starts another; inside one
it leaves that to the supervisor, and so ends. Here both happen at once. A worker that cannot start
would be started again and again.

Told to end, it would keep its copy of the listening socket until its worker has gone: connections
made meanwhile would wait for nobody, and be cut off.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any, NoReturn

# sysexits.h's EX_CONFIG: starting again would end the same way
CANNOT_START = 78
# a worker that ends sooner after the last would go on ending: BentoML's look is often enough
_TOO_SOON_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
# PR_SET_PDEATHSIG of linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = 1
_ASKED_TO = (signal.SIGTERM, signal.SIGINT)


def refuse(reason: object) -> NoReturn:
    """End this process, which cannot start, with one line that says why."""
    sys.stderr.write(f"valence: {reason}\n")
    sys.exit(CANNOT_START)


def watch() -> None:
    """Hear at once of a worker's end, and stop listening when told to end.

    One that cannot start ends this process too, with its status. Another is replaced or, in a
    container, ends this process with status 1. Belongs to the main thread.
    """
    # BentoML's process manager
    from circus.sighandler import SysHandler

    signal.signal(signal.SIGCHLD, _Worker().ended)
    end = SysHandler.quit

    def leave(handler: Any) -> None:
        for listening in handler.controller.arbiter.sockets.values():
            _close(listening.fileno())
        end(handler)

    SysHandler.quit = leave


def end_with_parent() -> None:
    """Have the kernel send this worker SIGTERM when the first process is gone.

    It would go on listening without anyone to look after it, and the next server could not. Only
    Linux can.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _close(descriptor: int) -> None:
    """Close it, but leave its number to be closed once more by who opened it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


class _Worker:
    """What is known of the worker that there is."""

    def __init__(self) -> None:
        self._replaced = -_TOO_SOON_SECONDS

    def ended(self, signal_number: int, frame: object) -> None:  # noqa: ARG002
        """A child has ended: SIGCHLD's handler."""
        try:
            # the one who started the worker wants its status too
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if child is None:
            return
        killed = child.si_code != os.CLD_EXITED
        status = child.si_status
        if not killed and status == CANNOT_START:
            _end(CANNOT_START)
        if status in _ASKED_TO if killed else status == 0:
            return
        how = f"was killed by signal {status}" if killed else f"ended with status {status}"
        sys.stderr.write(f"valence: the worker {how}\n")
        sys.stderr.flush()
        if "BENTOML_CONTAINERIZED" in os.environ:
            _end(1)
        now = time.monotonic()
        if now - self._replaced >= _TOO_SOON_SECONDS:
            self._replaced = now
            arbiter = _arbiter()
            if arbiter is not None:
                arbiter.loop.add_callback_from_signal(_replace, arbiter)


def _end(status: int) -> NoReturn:
    sys.stderr.flush()
    os._exit(status)


def _arbiter() -> Any:
    """BentoML's process manager, once it has begun: SIGTERM goes to it."""
    from circus.sighandler import SysHandler

    handler = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return handler.controller.arbiter if isinstance(handler, SysHandler) else None


def _replace(arbiter: Any) -> None:
    """Look after the worker now."""
    from circus.exc import ConflictError

    try:
        arbiter.manage_watchers()
    except ConflictError:
        # it is busy with another command, such as the first start
        arbiter.loop.call_later(_AGAIN_SECONDS, _replace, arbiter)
