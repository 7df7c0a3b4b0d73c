"""The file of an alias at a source, of which a copy needs the version alone."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError
from valence.service.errors import SourceError
from valence.service.registry.address import check_label
from valence.service.sources.download import too_large

MAX_BYTES = 2**20


class _Pointer(BaseModel):
    """What is read of the file of an alias here; the rest is copied as it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str


def read_version(place: str, content: bytes) -> str:
    """The version that the file of an alias at ``place`` names.

    Raises :class:`SourceError` for another file, and :class:`ConfigurationError` for a version that
    is none.
    """
    if len(content) > MAX_BYTES:
        raise too_large(place, len(content), MAX_BYTES)
    try:
        return check_label(_Pointer.model_validate_json(content).version, what="version")
    except ValidationError:
        raise SourceError(
            f"{place}: not the file of an alias; promote a version there with `valence promote`",
            outcome="damaged",
        ) from None
