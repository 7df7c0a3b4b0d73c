"""The state of a file, which tells without reading that the file has changed."""

from __future__ import annotations

import os

State = tuple[int, ...]


def describe_state(status: os.stat_result) -> State:
    """Numbers that differ after a change of a file, or if another file has its name."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
