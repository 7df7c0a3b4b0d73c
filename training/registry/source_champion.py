"""The champion of a model at a source: promoted and rolled back as in the store on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from valence.service.errors import ArtifactError
from valence.service.registry.address import Address
from valence.service.registry.aliases import Alias
from valence.service.registry.tag import CHAMPION, Tag
from valence.service.sources.kinds import open_source
from valence.service.sources.publication import move_alias, push_version
from valence.service.sources.source import Source
from valence.training.registry import store


def open_address(text: str) -> Source:
    """The source whose address is ``text``; raises :class:`ConfigurationError`."""
    return open_source(Address.parse(text))


def promote_version(source: Source, tag: str) -> Alias:
    """Make ``name:version`` the champion at ``source``; raises as :func:`store.promote_version`."""
    name, version, _ = Tag.parse(tag)
    if not version:
        raise ArtifactError(f"{tag!r} names no version; give NAME:VERSION")
    return _change(source, name, lambda before: store.make_moved(before, version, "promoted"))


def publish_version(source: Source, folder: Path) -> str:
    """Copy the version in ``folder`` of the store to ``source`` and promote it there; its tag."""
    push_version(source, folder)
    tag = f"{folder.parent.name}:{folder.name}"
    promote_version(source, tag)
    return tag


def roll_back(source: Source, name: str) -> Alias:
    """Make the previous champion at ``source`` the champion; nothing is deleted."""
    return _change(source, name, lambda before: store.make_rolled_back(before, name))


def _change(source: Source, name: str, change: Callable[[Alias | None], Alias]) -> Alias:
    made: list[Alias] = []

    def replace(content: bytes | None) -> tuple[str, bytes]:
        try:
            before = None if content is None else Alias.model_validate_json(content)
        except ValidationError:
            raise ArtifactError(
                f"{source.address}/{name}/{CHAMPION}.json cannot be read; delete it there and "
                "promote a version"
            ) from None
        made.append(change(before))
        return made[-1].version, (made[-1].model_dump_json(indent=2) + "\n").encode()

    move_alias(source, name, CHAMPION, replace)
    return made[-1]
