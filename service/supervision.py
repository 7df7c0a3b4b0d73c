"""What ``bentoml serve``'s first process does when its worker is gone.

BentoML looks after its worker every ten seconds. Outside a container it starts another; inside one
it leaves that to the supervisor, and so ends, but no sooner than it looks. A worker that
cannot start would be started again and again.
"""

from __future__ import annotations

import os
import signal
import sys

# sysexits.h's EX_CONFIG: starting again would end the same way
CANNOT_START = 78
_ASKED_TO = (signal.SIGTERM, signal.SIGINT)


def watch() -> None:
    """End this process at once, with status 1, when a worker's end asks for it.

    That is a worker that cannot start and, in a container, one that was killed. Belongs to the main
    thread.
    """
    signal.signal(signal.SIGCHLD, _look)


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
