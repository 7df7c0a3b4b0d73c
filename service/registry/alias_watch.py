"""The watch of aliases: sees that one moved, or that the files of its version changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ArtifactError
from valence.service.files.state import State, describe_state
from valence.service.registry import aliases


class Sighting(NamedTuple):
    """What a look at an alias has seen: two sightings are equal if nothing changed between."""

    version: str = ""
    """The version that the alias names."""
    fault: str = ""
    """Why the version cannot be told."""
    files: tuple[State, ...] = ()
    """The states of the folder of the version, and of the files in it."""


class AliasWatch:
    """Looks at the aliases of the model whose versions are in ``folder``.

    A look reads the states of a few files, and the file of an alias only after a change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[State, str]] = {}

    def look(self) -> dict[str, Sighting]:
        """What the store names now, by alias; a fault of the store is part of a sighting."""
        try:
            names = aliases.find_names(self._folder)
        except OSError as error:
            fault = f"{self._folder}: {error.strerror}"
            return {name: Sighting(fault=fault) for name in self._known}
        self._known = {name: known for name, known in self._known.items() if name in names}
        return {name: self._look_at(name) for name in names}

    def _look_at(self, alias: str) -> Sighting:
        try:
            state = _state(aliases.find_file(self._folder, alias))
            known = self._known.get(alias)
            if known is None or known[0] != state:
                found = aliases.read(self._folder, alias)
                known = self._known[alias] = state, "" if found is None else found.version
            return Sighting(known[1], files=self._states_of(known[1]))
        except ArtifactError as error:
            return Sighting(fault=str(error))
        except OSError as error:
            return Sighting(fault=f"{self._folder}: {error.strerror}")

    def _states_of(self, version: str) -> tuple[State, ...]:
        folder = self._folder / version
        if not version or not folder.is_dir():
            return ()
        return (_state(folder), *(_state(path) for path in sorted(folder.iterdir())))


def _state(path: Path) -> State:
    """The state of the file at ``path``; empty if there is none."""
    try:
        return describe_state(path.stat())
    except FileNotFoundError:
        return ()
