"""File operations that fail as those of a full, read-only or broken disk do."""

from __future__ import annotations

import errno
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WRITING = ("w", "a", "x", "+")


class FailingFiles:
    """Counts the operations that change files under ``folder``, and fails the one numbered ``at``.

    With ``always`` it fails each of them.

    Operations are opening a file to write, writing to it, syncing, renaming, deleting, and making
    a folder.
    """

    def __init__(self, folder: Path, code: int) -> None:
        self.folder = folder
        self.code = code
        self.at = -1
        self.always = False
        self.count = 0

    def meet(self, path: Any) -> None:
        """Count an operation on ``path``; raises ``OSError`` if it is the one that fails."""
        if not str(path).startswith(str(self.folder)):
            return
        self.count += 1
        if self.always or self.count == self.at:
            raise OSError(self.code, os.strerror(self.code), str(path))


class _FailingFile:
    def __init__(self, file: Any, files: FailingFiles, path: Any) -> None:
        self._file, self._files, self._path = file, files, path

    def write(self, content: Any) -> int:
        self._files.meet(self._path)
        return self._file.write(content)

    def __enter__(self) -> _FailingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def failing_files(folder: Path, code: int = errno.ENOSPC) -> Iterator[FailingFiles]:
    """Let the operations of Python under ``folder`` pass through :class:`FailingFiles`."""
    files = FailingFiles(folder, code)
    plain_open = open

    def opened(path: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        if not any(sign in mode for sign in WRITING):
            return plain_open(path, mode, *given, **named)
        files.meet(path)
        return _FailingFile(plain_open(path, mode, *given, **named), files, path)

    def counted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if not isinstance(path, int):
                files.meet(path)
            return plain(path, *given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.open", opened)
        patch.setattr(pathlib.Path, "open", opened)
        for name in ("replace", "rename", "unlink", "mkdir", "rmdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
        yield files
