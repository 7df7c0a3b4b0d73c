"""Errors of the operating system in one line: what failed, and the remedy."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from valence.service.errors import ValenceError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and start the command again",
    errno.EDQUOT: "the quota of the disk is used up; free some space and start the command again",
    errno.EFBIG: "the file would be larger than the system allows; see `ulimit -f`",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "this user may not do that; change the permissions or choose another path",
    errno.EPERM: "this user may not do that; change the permissions or choose another path",
    errno.ENOENT: "the file or its folder does not exist",
    errno.EEXIST: "there is a file of this name; choose another path",
    errno.ENOTDIR: "a part of the path is a file and not a folder",
    errno.EISDIR: "the path is a folder; give the path of a file",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.EMFILE: "too many files are open; see `ulimit -n`",
    errno.EIO: "the device cannot be read or written; look at the disk",
}
# by the primary result codes of SQLite, https://sqlite.org/rescode.html
_SQLITE = {
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
_RUST = re.compile(r"\(os error (\d+)\)")


def describe_failure(error: OSError) -> str:
    """The path, if the system named one, what failed, and the remedy."""
    path = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    told = os.strerror(error.errno) if error.errno else "; ".join(str(error).splitlines())
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{path}{told}" if remedy is None else f"{path}{told}: {remedy}"


def find_failure(error: BaseException) -> OSError | None:
    """The error of the system that ``error`` is or is raised from; None for another error.

    Rust libraries and SQLite tell it by a message or a code.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        code = _find_code(cause)
        if code:
            return OSError(code, os.strerror(code))
        cause = cause.__cause__
    return None


def _find_code(error: BaseException) -> int:
    """The ``errno`` that an error of another library tells; 0 if it tells none."""
    if isinstance(error, sqlite3.Error):
        # the low byte is the class of the error
        return _SQLITE.get((getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF, 0)
    told = _RUST.search(str(error))
    return int(told[1]) if told else 0


@contextmanager
def exit_in_one_line() -> Iterator[None]:
    """End the process with exit code 1 and one line of standard error for an expected error.

    Expected are errors that Valence raises on purpose, and those of the system, also when the
    output cannot be written at the end.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except ValenceError as error:
        _exit(str(error))
    except Exception as error:
        failure = find_failure(error)
        if failure is None:
            raise
        _exit(describe_failure(failure))


def _exit(message: str) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    try:
        sys.stdout.flush()
    except OSError:
        # the end of the process would try to write again, and end with a code of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
