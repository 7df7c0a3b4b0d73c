"""A control group of the kernel: the limit on the memory of a server, as a container has it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
# the kernel lets go of ended processes a moment later
_END_SECONDS = 5.0


@dataclass(frozen=True)
class MemoryGroup:
    """A group with a limit; ``folder`` is that of the kernel's file system."""

    folder: Path

    def wrap(self, command: Sequence[str]) -> list[str]:
        """``command``, as a process in this group, with all that it starts."""
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return ["/bin/sh", "-c", script, str(self.folder), *command]

    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            path = self.folder / name
            if path.exists():
                fields = dict(line.split() for line in path.read_text("ascii").splitlines())
                return int(fields["oom_kill"])
        raise FileNotFoundError(f"{self.folder} has no file that counts kills")


@contextlib.contextmanager
def limit_memory(limit: int, *, mount: Path = _MOUNT) -> Iterator[MemoryGroup]:
    """A group of at most ``limit`` bytes, which ends with the block.

    Raises :class:`OSError` where this user may make none.
    """
    parent, name = _find_parent(Path("/proc/self/cgroup").read_text("ascii"), mount)
    folder = parent / f"valence-trial-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / name).write_text(str(limit), "ascii")
        yield MemoryGroup(folder)
    finally:
        _remove(folder)


def _find_parent(groups: str, mount: Path) -> tuple[Path, str]:
    """The folder for a new group, and the name of the file with its limit.

    ``groups`` are those of this process. In version 2 of control groups a group with processes has
    no groups in it whose memory is limited, so the new group is beside that of this process.
    """
    unified = mount
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return mount / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
        if not controllers:
            unified = (mount / path.lstrip("/")).parent
    return unified, "memory.max"


def _remove(folder: Path) -> None:
    ends = time.monotonic() + _END_SECONDS
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
