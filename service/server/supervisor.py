"""What the first process of ``bentoml serve`` does when its worker ends, and when it ends itself.

BentoML checks its worker every ten seconds. Outside a container it starts another worker; inside a
container it leaves that to the supervisor of the container, and ends. With this module both happen
at once. A worker that cannot start ends the server, because BentoML would start it again and again.

At SIGTERM the first process would keep its copy of the listening socket until its worker has ended.
Connections made meanwhile would wait in vain, and be cut off. So it closes its copy at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any, NoReturn

# EX_CONFIG of sysexits.h: another start would end the same way
CANNOT_START = 78
# If a worker ends sooner than this after the last one, the next would probably end too: then the
# check of BentoML, every ten seconds, is often enough.
_MIN_RESTART_SECONDS = 10.0
_RETRY_SECONDS = 0.1
# PR_SET_PDEATHSIG of linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = 1
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def listening_host() -> str:
    """The address that ``bentoml serve`` was told to listen on."""
    import click
    from bentoml._internal.configuration.containers import BentoMLContainer

    context = click.get_current_context(silent=True)
    host = context.params.get("host") if context else None
    return str(host or BentoMLContainer.http.host.get())


def worker_count(name: str) -> int:
    """How many workers BentoML will start for the service ``name``; 2 stands for several."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    workers = BentoMLContainer.config.services.get()[name].get("workers")
    return 1 if workers in (None, 1) else 2


def refuse_to_start(reason: object) -> NoReturn:
    """End this process with status 78 and one line on standard error that gives the reason."""
    sys.stderr.write(f"valence: {reason}\n")
    sys.exit(CANNOT_START)


def supervise_worker() -> None:
    """Learn at once when the worker ends, and stop listening at once at SIGTERM.

    A worker that cannot start ends this process too, with the same status. Another worker is
    replaced or, in a container, ends this process with status 1. Call it in the main thread.
    """
    # BentoML's process manager
    from circus.sighandler import SysHandler

    signal.signal(signal.SIGCHLD, _WorkerWatch().handle_sigchld)
    quit_circus = SysHandler.quit

    def close_sockets_and_quit(handler: Any) -> None:
        for listening in handler.controller.arbiter.sockets.values():
            _close_descriptor(listening.fileno())
        quit_circus(handler)

    SysHandler.quit = close_sockets_and_quit


def end_with_parent() -> None:
    """Have the kernel send this worker SIGTERM when the first process ends; on Linux only.

    Without it the worker would go on listening, nothing would restart it, and the next server could
    not listen.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _close_descriptor(descriptor: int) -> None:
    """Close what ``descriptor`` refers to; its owner closes the number itself later."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, descriptor)
    os.close(null)


class _WorkerWatch:
    """Reacts to the end of the worker."""

    def __init__(self) -> None:
        self._replaced_at = -_MIN_RESTART_SECONDS

    def handle_sigchld(self, signal_number: int, frame: object) -> None:  # noqa: ARG002
        """Handle SIGCHLD: a child process has ended."""
        try:
            # WNOWAIT, because the parent object in BentoML reads the status too
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if child is None:
            return
        killed = child.si_code != os.CLD_EXITED
        status = child.si_status
        if not killed and status == CANNOT_START:
            _end(CANNOT_START)
        if status in _ENDING_SIGNALS if killed else status == 0:
            return
        how = f"was killed by signal {status}" if killed else f"ended with status {status}"
        sys.stderr.write(f"valence: the worker {how}\n")
        sys.stderr.flush()
        if "BENTOML_CONTAINERIZED" in os.environ:
            _end(1)
        now = time.monotonic()
        if now - self._replaced_at >= _MIN_RESTART_SECONDS:
            self._replaced_at = now
            arbiter = _arbiter()
            if arbiter is not None:
                arbiter.loop.add_callback_from_signal(_start_worker, arbiter)


def _end(status: int) -> NoReturn:
    sys.stderr.flush()
    os._exit(status)


def _arbiter() -> Any:
    """BentoML's process manager, once it handles SIGTERM; None before that."""
    from circus.sighandler import SysHandler

    handler = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return handler.controller.arbiter if isinstance(handler, SysHandler) else None


def _start_worker(arbiter: Any) -> None:
    """Have BentoML's process manager check its worker now, which starts a missing one."""
    from circus.exc import ConflictError

    try:
        arbiter.manage_watchers()
    except ConflictError:
        # it is busy with another command, such as the first start
        arbiter.loop.call_later(_RETRY_SECONDS, _start_worker, arbiter)
