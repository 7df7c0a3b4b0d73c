"""The watch of a champion: sees that it moved, or that the files of its version changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ArtifactError
from valence.service.files.state import State, describe_state
from valence.service.registry import champion


class Sighting(NamedTuple):
    """What a look at the store has seen: two sightings are equal if nothing changed between."""

    version: str = ""
    """The champion; empty if there is none."""
    fault: str = ""
    """Why the champion cannot be told."""
    files: tuple[State, ...] = ()
    """The states of the folder of the champion, and of the files in it."""


class ChampionWatch:
    """Looks at the champion of the model whose versions are in ``folder``.

    A look reads the states of a few files, and ``champion.json`` only after a change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state: State | None = None
        self._version = ""

    def look(self) -> Sighting:
        """What the store names now; a fault of the store is part of the sighting."""
        try:
            state = _state(self._folder / champion.FILE)
            if state != self._state:
                found = champion.read(self._folder)
                self._version = "" if found is None else found.version
                self._state = state
            return Sighting(self._version, files=self._files())
        except ArtifactError as error:
            return Sighting(fault=str(error))
        except OSError as error:
            return Sighting(fault=f"{self._folder}: {error.strerror}")

    def _files(self) -> tuple[State, ...]:
        folder = self._folder / self._version
        if not self._version or not folder.is_dir():
            return ()
        return (_state(folder), *(_state(path) for path in sorted(folder.iterdir())))


def _state(path: Path) -> State:
    """The state of the file at ``path``; empty if there is none."""
    try:
        return describe_state(path.stat())
    except FileNotFoundError:
        return ()
