"""The parts of a run in a folder beside its output, with a journal of what the run is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file

_JOURNAL = "journal.json"


class Journal:
    """What a run into ``out`` has done. A run begins when its first part is written."""

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.name + ".parts")
        self._path = self.folder / _JOURNAL

    def read(self) -> dict[str, Any]:
        """What identifies the interrupted run; empty without one.

        Raises :class:`ConfigurationError` for a journal that is damaged.
        """
        try:
            identity = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            identity = None
        if not isinstance(identity, dict):
            raise ConfigurationError(f"{self._path} is damaged; start over with --fresh")
        return identity

    def require(self, identity: Mapping[str, Any]) -> None:
        """Raise :class:`ConfigurationError` if there are parts of another run."""
        before = self.read()
        changed = [name for name in identity if before and before.get(name) != identity[name]]
        if changed:
            raise ConfigurationError(
                f"{self.folder} has parts of a run with another {', '.join(changed)}; repeat that "
                "run with its options, or start over with --fresh"
            )
        if not before:
            # what a run left that ended while it deleted its parts
            self.delete()

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Write the journal, if it is not there."""
        if not self._path.exists():
            write_file(self._path, json.dumps(dict(identity), indent=1))

    def find_part(self, number: int) -> Path:
        """The path of a part."""
        return self.folder / f"{number:08d}"

    def delete(self) -> None:
        """Delete the parts and the journal."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
