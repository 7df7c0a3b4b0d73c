"""The champion of a model: the version that its bare name means, once a version was promoted.

``champion.json`` lies beside the versions of a model in BentoML's model store. The file is replaced
as a whole, so the champion and the record of its changes always agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from valence.service.errors import ArtifactError

if TYPE_CHECKING:
    import bentoml

FILE = "champion.json"
ALIAS = "champion"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Frozen):
    """One change of the champion."""

    version: str
    at: str
    """UTC, ISO 8601."""
    how: Literal["adopted", "promoted", "rolled back"]
    """``adopted``: the version was served already, as the latest one, and passed the gate as a
    first version before the first candidate was compared with it."""


class Champion(_Frozen):
    """The content of ``champion.json``."""

    version: str
    previous: tuple[str, ...] = ()
    """The champions before, the most recent one last: rolling back makes it the champion again."""
    changes: tuple[Change, ...] = ()


def read(folder: Path) -> Champion | None:
    """The champion of the model whose versions are in ``folder``; None if none was promoted.

    Raises :class:`ArtifactError` for a damaged file.
    """
    path = folder / FILE
    try:
        return Champion.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise ArtifactError(
            f"{path} cannot be read; remove it and promote a version with `valence promote`"
        ) from None


def get(tag: str) -> bentoml.Model:
    """The model ``name`` (its champion, or else its latest version) or ``name:version``.

    ``version`` may be ``champion`` or ``latest``. Raises BentoML's ``NotFound`` for a model that is
    not in the store, as ``bentoml.models.get`` does, BentoML's other exceptions for an invalid tag,
    and :class:`ArtifactError` for a champion that is not in the store.
    """
    import bentoml
    from bentoml.exceptions import NotFound

    name, _, version = tag.partition(":")
    if version not in ("", ALIAS):
        return bentoml.models.get(tag)
    latest = bentoml.models.get(name)
    chosen = find_version(Path(latest.path).parent)
    if chosen is None:
        if version == ALIAS:
            raise NotFound(f"{name} has no champion")
        return latest
    return bentoml.models.get(f"{name}:{chosen}")


def find_version(folder: Path) -> str | None:
    """The champion of the model whose versions are in ``folder``; None if none was promoted.

    Raises :class:`ArtifactError` for a champion that is not in the store.
    """
    champion = read(folder)
    if champion is None:
        return None
    if not (folder / champion.version).is_dir():
        name = folder.name
        raise ArtifactError(
            f"the champion {name}:{champion.version} is not in the model store any more; promote "
            f"another version with `valence promote {name}:VERSION`, or go back to the champion "
            f"before with `valence rollback {name}`"
        )
    return champion.version
