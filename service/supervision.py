"""What ``bentoml serve``'s first process does when its worker is gone, and when it ends itself.

BentoML looks after its worker every ten seconds. Outside a container it starts another; inside one
it leaves that to the supervisor, and so ends, but no sooner than it looks. A worker that
cannot start would be started again and again.

Told to end, it would keep its copy of the listening socket until its worker has gone: connections
made meanwhile would wait for nobody, and be cut off.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

# sysexits.h's EX_CONFIG: starting again would end the same way
CANNOT_START = 78
# PR_SET_PDEATHSIG of linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = 1
_ASKED_TO = (signal.SIGTERM, signal.SIGINT)


def watch() -> None:
    """End this process at once, with status 1, when a worker's end asks for it.

    That is a worker that cannot start and, in a container, one that was killed. Told to end, it
    stops listening first. Belongs to the main thread.
    """
    # BentoML's process manager
    from circus.sighandler import SysHandler

    signal.signal(signal.SIGCHLD, _look)
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


def _look(signal_number: int, frame: object) -> None:  # noqa: ARG001
    try:
        # the one who started the worker wants its status too
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    if ended is None:
        return
    killed = ended.si_code != os.CLD_EXITED
    if killed and ended.si_status not in _ASKED_TO and "BENTOML_CONTAINERIZED" in os.environ:
        sys.stderr.write(f"valence: the worker was killed by signal {ended.si_status}\n")
    elif killed or ended.si_status != CANNOT_START:
        return
    sys.stderr.flush()
    os._exit(1)
