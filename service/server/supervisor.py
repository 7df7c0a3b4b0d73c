"""What the first process of ``bentoml serve`` does when a worker ends, and when it ends itself.

BentoML checks its workers every ten seconds. Outside a container it starts another worker; inside a
container it leaves that to the supervisor of the container, and ends. With this module both happen
at once. A worker that cannot start ends the server, because BentoML would start it again and again.

Of several workers the others answer on. So one that ends is replaced in a container too, and one
that cannot start ends the server only if no other one is left.

At SIGTERM the first process would keep its copy of the listening socket until its workers have
ended. Connections made meanwhile would wait in vain, and be cut off. So it closes its copy at once.

A worker that hangs neither ends nor answers. It is killed: when its heartbeats stop, or when it has
not ended within the grace after SIGTERM.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from valence.service.machine import cores
from valence.service.server import heartbeat

# EX_CONFIG of sysexits.h: another start would end the same way
CANNOT_START = 78
# If more than all workers end within this time, the next would probably end too: then the check of
# BentoML, every ten seconds, is often enough.
_MIN_RESTART_SECONDS = 10.0
_RETRY_SECONDS = 0.1
# PR_SET_PDEATHSIG of linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = 1
# The number of the first process, for its workers. Names with VALENCE_ are settings of operators.
_FIRST_VARIABLE = "_VALENCE_FIRST_PROCESS"
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# programs send them to ask for something else, and a process without a handler ends by them
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
# how long the first process may take to end after its workers have been killed
_END_SECONDS = 5.0


def listening_host() -> str:
    """The address that ``bentoml serve`` was told to listen on."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    return str(_option("host") or BentoMLContainer.http.host.get())


def listening_port() -> int:
    """The port that ``bentoml serve`` was told to listen on."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    port = _option("port")
    return int(BentoMLContainer.http.port.get() if port is None else port)


def _option(name: str) -> Any:
    """The value of an option of ``bentoml serve``; None outside of this command."""
    import click

    context = click.get_current_context(silent=True)
    return context.params.get(name) if context else None


def worker_count(name: str) -> int:
    """How many workers BentoML will start for the service ``name``."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    workers = BentoMLContainer.config.services.get()[name].get("workers") or 1
    return cores.count_cores() if workers == "cpu_count" else int(workers)


def refuse_to_start(reason: object) -> NoReturn:
    """End this process with status 78 and one line on standard error that gives the reason."""
    # past the buffer of Python, which on a full disk would change the status
    with contextlib.suppress(OSError):
        os.write(2, f"valence: {reason}\n".encode())
    sys.exit(CANNOT_START)


def supervise_workers(
    count: int, *, hung_seconds: float, grace_seconds: float, tell: Callable[[str], None]
) -> None:
    """Learn at once when one of ``count`` workers ends or hangs, and stop listening at SIGTERM.

    If the last worker cannot start, this process ends too, with the same status. Another worker is
    replaced or, if it is the only one and in a container, ends this process with status 1. A worker
    without a heartbeat for ``hung_seconds`` is killed, and so is one that runs ``grace_seconds``
    after SIGTERM. ``tell`` writes a line for the operator. Call it in the main thread.
    """
    # BentoML's process manager
    from circus.sighandler import SysHandler

    watch = _WorkerWatch(count, grace_seconds=grace_seconds, tell=tell)
    atexit.register(drop_unwritten)
    signal.signal(signal.SIGCHLD, watch.handle_sigchld)
    os.environ[_FIRST_VARIABLE] = str(os.getpid())
    for number in _IGNORED_SIGNALS:
        # workers inherit it
        signal.signal(number, signal.SIG_IGN)
    heartbeat.HeartbeatWatch(
        heartbeat.open_pipe(),
        hung_seconds=hung_seconds,
        report_hung=lambda process: watch.kill(process, f"has not answered for {hung_seconds:g} s"),
        look=watch.end_grace,
    ).start()
    # Workers write BentoML's lines before they have a log that waits for no reader. The default
    # verbosity is 0, and below it only errors are written.
    if os.environ.get("BENTOML_VERBOSITY", "0") == "0":
        os.environ["BENTOML_VERBOSITY"] = "-1"
    quit_circus = SysHandler.quit

    def close_sockets_and_quit(handler: Any) -> None:
        watch.begin_grace()
        for listening in handler.controller.arbiter.sockets.values():
            _close_descriptor(listening.fileno())
        quit_circus(handler)

    SysHandler.quit = close_sockets_and_quit


def end_with_parent() -> None:
    """Have the kernel send this worker SIGTERM when the first process ends; on Linux only.

    Does nothing in a process that is no worker.

    Without it the worker would go on listening, nothing would restart it, and the next server could
    not listen. If the first process has ended already, as one may that is killed while this worker
    starts, the signal comes now.
    """
    first = os.environ.pop(_FIRST_VARIABLE, None)
    if first is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if first != str(os.getppid()):
        os.kill(os.getpid(), signal.SIGTERM)


def drop_unwritten() -> None:
    """Drop what the standard streams hold and cannot write, such as on a full disk.

    Python would try again at its end, and end with status 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def _close_descriptor(descriptor: int) -> None:
    """Close what ``descriptor`` refers to; its owner closes the number itself later."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, descriptor)
    os.close(null)


class _WorkerWatch:
    """Reacts to the end of a worker, and ends a worker that does not end by itself."""

    def __init__(self, count: int, *, grace_seconds: float, tell: Callable[[str], None]) -> None:
        self._count = count
        self._grace_seconds = grace_seconds
        self._tell = tell
        # when workers were replaced; the oldest first
        self._replaced = collections.deque([-_MIN_RESTART_SECONDS] * count, maxlen=count)
        # the processes whose end has been handled, and which the process manager has not reaped
        self._ended: set[int] = set()
        # when the grace after SIGTERM ends, in monotonic time
        self._grace_ends: float | None = None

    def handle_sigchld(self, signal_number: int, frame: object) -> None:  # noqa: ARG002
        """Handle SIGCHLD: child processes have ended. One signal may stand for several of them."""
        ended = {child.si_pid: child for child in _ended_children()}
        before, self._ended = self._ended, set(ended)
        for process, child in ended.items():
            if process not in before:
                self._handle_end(child)

    def _handle_end(self, child: os.waitid_result) -> None:
        killed = child.si_code != os.CLD_EXITED
        status = child.si_status
        cannot_start = not killed and status == CANNOT_START
        if cannot_start and not self._living():
            _end(CANNOT_START)
        if status in _ENDING_SIGNALS if killed else status == 0:
            return
        how = f"was killed by signal {status}" if killed else f"ended with status {status}"
        self._tell(f"valence: {self._name(child.si_pid)} {how}")
        if self._grace_ends is not None:
            # other workers still answer, so the end is orderly but for its status
            atexit.register(_end, 1)
            return
        if self._count == 1 and "BENTOML_CONTAINERIZED" in os.environ:
            _end(1)
        now = time.monotonic()
        arbiter = _arbiter()
        if arbiter is None:
            return
        for watcher in arbiter.iter_watchers():
            # BentoML would not replace it in a container
            watcher.respawn = True
        if not cannot_start and now - self._replaced[0] >= _MIN_RESTART_SECONDS:
            self._replaced.append(now)
            arbiter.loop.add_callback_from_signal(_start_worker, arbiter)

    def _living(self) -> set[int]:
        """The workers that have not ended."""
        return set(_worker_processes()) - self._ended

    def _name(self, process: int) -> str:
        return "the worker" if self._count == 1 else f"worker {process}"

    def kill(self, process: int, reason: str) -> None:
        """Kill a worker, stopped or not, if it still runs."""
        try:
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return
        except ChildProcessError:
            return
        self._tell(f"valence: {self._name(process)} {reason} and is killed")
        os.kill(process, signal.SIGKILL)

    def begin_grace(self) -> None:
        """Note that the server has been told to end."""
        if self._grace_ends is None:
            self._grace_ends = time.monotonic() + self._grace_seconds

    def end_grace(self) -> None:
        """After the grace, kill the workers that still run; later end this process."""
        if self._grace_ends is None:
            return
        seconds = time.monotonic() - self._grace_ends
        if seconds >= _END_SECONDS:
            _end(1)
        if seconds >= 0:
            for process in _worker_processes():
                self.kill(process, f"has not ended {self._grace_seconds:g} s after SIGTERM")


def _end(status: int) -> NoReturn:
    drop_unwritten()
    os._exit(status)


def _arbiter() -> Any:
    """BentoML's process manager, once it handles SIGTERM; None before that."""
    from circus.sighandler import SysHandler

    handler = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return handler.controller.arbiter if isinstance(handler, SysHandler) else None


def _worker_processes() -> Sequence[int]:
    """The processes of the workers, with those that have just ended."""
    arbiter = _arbiter()
    watchers = arbiter.iter_watchers() if arbiter is not None else ()
    return [process for watcher in watchers for process in list(watcher.processes)]


def _ended_children() -> Sequence[os.waitid_result]:
    """The workers that have ended, and are not reaped yet."""
    # before the process manager has begun, no worker is known, and any child is one
    known = [(os.P_PID, process) for process in _worker_processes()] or [(os.P_ALL, 0)]
    ended = []
    for kind, process in known:
        with contextlib.suppress(ChildProcessError):
            # WNOWAIT, because the parent object in BentoML reads the status too
            child = os.waitid(kind, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if child is not None:
                ended.append(child)
    return ended


def _start_worker(arbiter: Any) -> None:
    """Have BentoML's process manager check its worker now, which starts a missing one."""
    from circus.exc import ConflictError

    try:
        arbiter.manage_watchers()
    except ConflictError:
        # it is busy with another command, such as the first start
        arbiter.loop.call_later(_RETRY_SECONDS, _start_worker, arbiter)
