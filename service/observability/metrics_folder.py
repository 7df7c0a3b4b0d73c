"""The folder in which the workers of one server share their metrics.

Each server has a folder of its own, with a lock that its first process holds, so that another
server neither reads nor empties it. Each worker holds a lock on a file in it. The kernel frees the
lock of a process however the process ends, so a killed worker is told from a living one at once.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

# not of VALENCE_, which are the settings of the operator
_VARIABLE = "_VALENCE_METRICS_FOLDER"
_CLIENT_LIBRARY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "valence-metrics-"


def create() -> Path:
    """Make the folder of this server, for its workers to enter; it is removed at the end.

    Folders that servers without a chance to remove them left behind are removed too.
    """
    _remove_abandoned()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        _lock(folder)
        # a server that starts at the same time may have taken the folder for an abandoned one
        if folder.exists():
            os.environ[_VARIABLE] = str(folder)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return folder


def enter() -> Path | None:
    """The folder of this worker's server; None if the worker is the only one.

    Call it before the metrics are made.
    """
    # BentoML's folder belongs to all servers of a workspace, and each of them empties it
    os.environ.pop(_CLIENT_LIBRARY_VARIABLE, None)
    name = os.environ.get(_VARIABLE)
    if name is None:
        return None
    folder = Path(name)
    process = os.getpid()
    path = _lock_file(folder, process)
    path.touch()
    _lock(path)
    # of a killed worker that had the same number
    _remove_gauges(folder, process)
    os.environ[_CLIENT_LIBRARY_VARIABLE] = name
    return folder


def value_files(folder: Path) -> list[str]:
    """The files with the values of all workers, without the gauges of workers that have ended."""
    for path in folder.glob("worker_*.lock"):
        if not _is_locked(path):
            _remove_gauges(folder, int(path.stem.partition("_")[2]))
            path.unlink(missing_ok=True)
    return [str(path) for path in folder.glob("*.db")]


def _lock_file(folder: Path, process: int) -> Path:
    return folder / f"worker_{process}.lock"


def _remove_gauges(folder: Path, process: int) -> None:
    for path in folder.glob(f"gauge_live*_{process}.db"):
        path.unlink(missing_ok=True)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if not _is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _lock(path: Path) -> None:
    """Lock ``path`` until this process ends: its descriptor is never closed."""
    fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        # another scrape has just removed it
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
