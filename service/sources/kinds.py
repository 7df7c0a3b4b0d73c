"""The kinds of sources, by the beginning of their addresses."""

from __future__ import annotations

from collections.abc import Callable

from valence.service.errors import ConfigurationError
from valence.service.registry.address import Address
from valence.service.sources.source import Source


def open_source(address: Address) -> Source:
    """The source at ``address``; raises :class:`ConfigurationError` without its package."""
    try:
        return _open(address)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{address.kind}:// needs another package ({error.name}): pip install 'valence[store]'"
        ) from None


def _open(address: Address) -> Source:
    if address.kind == "oci":
        from valence.service.sources.artifact_registry import ArtifactRegistry

        return ArtifactRegistry(address)
    if address.kind == "file":
        # locks files as Unix does, so that the other kinds work without it
        from valence.service.sources.folder import Folder

        return Folder(address)
    # fsspec takes a tenth of a second, which only who reads a source spends
    from valence.service.sources.buckets import GoogleBucket, S3Bucket
    from valence.service.sources.hub import HubRepository

    trees: dict[str, Callable[[Address], Source]] = {
        "s3": S3Bucket,
        "gs": GoogleBucket,
        "hf": HubRepository,
    }
    return trees[address.kind](address)
