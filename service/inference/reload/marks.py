"""Marks in a folder by which the workers of a server tell each other to reload a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

_SUFFIX = ".reload"


class ReloadMarks:
    """The marks in ``folder``; without a folder there are no other workers."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen = self._read()

    def put(self, name: str) -> None:
        """Have the other workers reload the model ``name``."""
        if self._folder is not None:
            path = self._folder / f"{name}{_SUFFIX}"
            path.touch()
            self._seen = {**self._seen, name: path.stat().st_mtime_ns}

    def take(self) -> Sequence[str]:
        """The models that other workers have marked since the last time."""
        before, self._seen = self._seen, self._read()
        return [name for name, moment in self._seen.items() if before.get(name) != moment]

    def _read(self) -> Mapping[str, int]:
        paths = () if self._folder is None else self._folder.glob(f"*{_SUFFIX}")
        return {path.name.removesuffix(_SUFFIX): path.stat().st_mtime_ns for path in paths}
