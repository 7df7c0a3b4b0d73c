"""Where configurations are: files, presets, and those that were written for a user's own data."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from valence.service.errors import ConfigurationError

PRESETS = Path(__file__).parent / "presets"


def find_configuration(name: Path, folders: Sequence[Path]) -> Path:
    """The file ``name``, or the file ``name``.toml of the first of ``folders`` that has one.

    Raises :class:`ConfigurationError`, which names the nearest and all known names, if there is
    none.
    """
    if name.is_file():
        return name
    known = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.toml")}
    if not name.suffix and name.name == str(name) and name.name in known:
        return known[name.name]
    raise ConfigurationError(f"{name}: no such file{_describe_known(name.stem, sorted(known))}")


def _describe_known(name: str, known: Sequence[str]) -> str:
    if not known:
        return ""
    nearest = get_close_matches(name, known, n=1)
    hint = f"; the configuration {nearest[0]!r} is called by its name" if nearest else ""
    return f"{hint}; configurations that have a name: {', '.join(known)}"
