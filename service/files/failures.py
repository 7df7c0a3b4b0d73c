"""What an error of the operating system means to a user, and the remedy, in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and start the command again",
    errno.EDQUOT: "the quota of the disk is used up; free some space and start the command again",
    errno.EFBIG: "the file would be larger than the system allows; see `ulimit -f`",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "this user may not do that; change the permissions or choose another path",
    errno.EPERM: "this user may not do that; change the permissions or choose another path",
    errno.ENOENT: "the file or its folder does not exist",
    errno.ENOTDIR: "a part of the path is a file and not a folder",
    errno.EISDIR: "the path is a folder; give the path of a file",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.EMFILE: "too many files are open; see `ulimit -n`",
    errno.EIO: "the device cannot be read or written; look at the disk",
}


def describe_failure(error: OSError) -> str:
    """The path, if the system named one, what failed, and the remedy."""
    path = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    told = os.strerror(error.errno) if error.errno else "; ".join(str(error).splitlines())
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{path}{told}" if remedy is None else f"{path}{told}: {remedy}"


@contextmanager
def name_path(path: Path) -> Iterator[None]:
    """Give ``path`` to errors of the system that do not name one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def find_failure(error: BaseException) -> OSError | None:
    """The error of the system that ``error`` is, or comes from: libraries wrap them."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
