"""Where configurations are: files, presets, and those that were written for a user's own data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from valence.service.errors import ConfigurationError

PRESETS = Path(__file__).parent / "presets"
# One slip in a name of seven letters or more.
_NEAR = 0.85
_DIGITS = re.compile(r"[-_]?\d+")


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


def find_near_name(name: str, known: Iterable[str]) -> str | None:
    """The name of ``known`` that the new name ``name`` is probably a misspelling of; else None.

    Names that differ in digits alone, such as those of two years, are not misspelled.
    """
    known = sorted(known)
    if name in known:
        return None
    plain = _DIGITS.sub("", name)
    nearest = get_close_matches(name, known, n=3, cutoff=_NEAR)
    return next((near for near in nearest if _DIGITS.sub("", near) != plain), None)


def _describe_known(name: str, known: Sequence[str]) -> str:
    if not known:
        return ""
    nearest = get_close_matches(name, known, n=1)
    hint = f"; the configuration {nearest[0]!r} is called by its name" if nearest else ""
    return f"{hint}; configurations that have a name: {', '.join(known)}"
