"""The kinds of sources, by the beginning of their addresses."""

from __future__ import annotations

from valence.service.registry.address import Address
from valence.service.sources.source import Source


def open_source(address: Address) -> Source:
    """The source at ``address``; raises :class:`ConfigurationError` without its package."""
    if address.kind == "oci":
        from valence.service.sources.artifact_registry import ArtifactRegistry

        return ArtifactRegistry(address)
    from valence.service.sources.file_tree import FileTree

    return FileTree(address)
