"""Which version of a model answers to its bare name: its champion, where one was promoted.

``champion.json`` lies beside the versions of a model in BentoML's model store. It is replaced whole
or not at all, so the champion and the record of how it came to be never disagree.
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


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Part):
    """One time that the champion changed."""

    version: str
    at: str
    """UTC, ISO 8601."""
    how: Literal["adopted", "promoted", "rolled back"]
    """``adopted``: it was served already, as the latest, when the first challenger came."""


class Champion(_Part):
    """The whole of ``champion.json``."""

    version: str
    previous: tuple[str, ...] = ()
    """Who was champion before, the last one last: where rolling back leads."""
    changes: tuple[Change, ...] = ()


def read(folder: Path) -> Champion | None:
    """The champion of the model whose versions are in ``folder``; None where none was promoted.

    Raises :class:`ArtifactError` for a file that is damaged.
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
    """The model ``name`` (its champion, else its latest version) or ``name:version`` of the store.

    ``version`` may be ``champion`` or ``latest``. Raises BentoML's ``NotFound`` as its own ``get``
    does, its other exceptions for what is no tag, and :class:`ArtifactError` for a champion that is
    not in the store.
    """
    import bentoml
    from bentoml.exceptions import NotFound

    name, _, version = tag.partition(":")
    if version not in ("", ALIAS):
        return bentoml.models.get(tag)
    latest = bentoml.models.get(name)
    champion = read(Path(latest.path).parent)
    if champion is None:
        if version == ALIAS:
            raise NotFound(f"{name} has no champion")
        return latest
    folder = Path(latest.path).parent / champion.version
    if not folder.is_dir():
        raise ArtifactError(
            f"the champion {name}:{champion.version} is not in the model store any more; promote "
            f"another version with `valence promote {name}:VERSION`, or go back to the one before "
            f"with `valence rollback {name}`"
        )
    return bentoml.models.get(f"{name}:{champion.version}")
