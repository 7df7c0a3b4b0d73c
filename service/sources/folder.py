"""Sources in folders of this machine, or of a file system that it shares."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

from valence.service.files.atomic_write import replace_file
from valence.service.sources.file_tree import FileTree
from valence.service.sources.source import AliasMoved


class Folder(FileTree):
    """The source at a ``file://`` address."""

    def mark_alias(self, name: str, alias: str) -> str | None:
        """The checksum of the file of an alias."""
        try:
            return hashlib.sha256(Path(self._find_alias(name, alias)).read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write the file of an alias under the lock of its folder, as the model store does."""
        path = Path(self._find_alias(name, alias))
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self.mark_alias(name, alias) != mark:
                raise AliasMoved
            with replace_file(path) as unfinished:
                unfinished.write_bytes(content)
        finally:
            os.close(descriptor)

    def _write(self, path: str, content: IO[bytes]) -> None:
        # a folder needs two steps for what others see in one
        with replace_file(Path(path)) as unfinished, unfinished.open("wb") as target:
            shutil.copyfileobj(content, target)
