"""The aliases of a model: names for its versions that operators move.

The alias ``champion`` is the version that the bare name means, once a version was promoted. An
alias is a file, such as ``champion.json``, beside the versions of the model in BentoML's model
store. The file is replaced as a whole, so the alias and the record of its changes always agree.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from valence.service.errors import ArtifactError
from valence.service.registry.tag import CHAMPION, Tag

if TYPE_CHECKING:
    import bentoml

LATEST = "latest"
_SUFFIX = ".json"
# no dot: a file with two is not an alias
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


How = Literal["adopted", "promoted", "rolled back", "set"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Frozen):
    """One change of an alias."""

    version: str
    at: str
    """UTC, ISO 8601."""
    how: How
    """``adopted``: the version was served already, as the latest one, and passed the gate as a
    first version before the first candidate was compared with it. ``set`` is for other aliases
    than the champion."""


class Alias(_Frozen):
    """The content of the file of an alias."""

    version: str
    previous: tuple[str, ...] = ()
    """The versions before, the most recent one last: rolling back makes it the version again."""
    changes: tuple[Change, ...] = ()


def check_name(alias: str) -> str:
    """``alias`` if it may name an alias; raises :class:`ArtifactError`."""
    if alias == LATEST or not _NAME.fullmatch(alias):
        raise ArtifactError(
            f"{alias!r} cannot name an alias: use 1 to 63 characters of a-z, 0-9, '_' and '-', "
            f"the first one a letter or a digit, but not {LATEST!r}"
        )
    return alias


def find_file(folder: Path, alias: str) -> Path:
    """The file of ``alias`` of the model whose versions are in ``folder``."""
    return folder / f"{check_name(alias)}{_SUFFIX}"


def find_names(folder: Path) -> list[str]:
    """The aliases of the model whose versions are in ``folder``; raises ``OSError``."""
    return sorted(
        path.stem
        for path in folder.iterdir()
        if path.suffix == _SUFFIX and _NAME.fullmatch(path.stem) and path.is_file()
    )


def read(folder: Path, alias: str = CHAMPION) -> Alias | None:
    """``alias`` of the model whose versions are in ``folder``; None if there is none.

    Raises :class:`ArtifactError` for a damaged file.
    """
    path = find_file(folder, alias)
    try:
        return Alias.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        remedy = "promote a version with `valence promote`"
        if alias != CHAMPION:
            remedy = f"set the alias again with `valence alias set {folder.name}@{alias} VERSION`"
        raise ArtifactError(f"{path} cannot be read; remove it and {remedy}") from None


def get(tag: str) -> bentoml.Model:
    """The model ``name`` (its champion, or else its latest version) or another tag.

    A tag is ``name``, ``name:version`` or ``name@alias``, and a version may be ``latest``. Raises
    BentoML's ``NotFound`` for a model that is not in the store, as ``bentoml.models.get`` does,
    BentoML's other exceptions for an invalid tag, and :class:`ArtifactError` for an alias that is
    not there, is damaged, or whose version is not in the store.
    """
    import bentoml
    from valence.service.registry import bento_store

    name, version, alias = Tag.parse(tag)
    if version:
        return bentoml.models.get(tag)
    versions = bento_store.folder() / name
    if not versions.is_dir():
        return bentoml.models.get(name)
    chosen = find_version(versions, alias)
    return bentoml.models.get(name if chosen is None else f"{name}:{chosen}")


def find_version(folder: Path, alias: str = "") -> str | None:
    """The version that ``alias`` names of the model whose versions are in ``folder``.

    Without an alias it is the champion, or None if no version was promoted. Raises
    :class:`ArtifactError` for an alias that is not there, is damaged, or whose version is not in
    the store.
    """
    name = folder.name
    found = read(folder, alias or CHAMPION)
    if found is None:
        if not alias:
            return None
        if alias == CHAMPION:
            raise ArtifactError(f"{name} has no champion; promote one with `valence promote`")
        raise ArtifactError(
            f"{name} has no alias {alias}; make it with `valence alias set {name}@{alias} "
            f"VERSION`, {name} has these aliases: {', '.join(find_names(folder)) or 'none'}"
        )
    if not (folder / found.version).is_dir():
        raise ArtifactError(_describe_missing(name, found.version, alias or CHAMPION))
    return found.version


def _describe_missing(name: str, version: str, alias: str) -> str:
    if alias == CHAMPION:
        return (
            f"the champion {name}:{version} is not in the model store any more; promote another "
            f"version with `valence promote {name}:VERSION`, or go back to the champion before "
            f"with `valence rollback {name}`"
        )
    return (
        f"{name}:{version}, which {name}@{alias} names, is not in the model store any more; name "
        f"another version with `valence alias set {name}@{alias} VERSION`"
    )
