"""The publication of a version at a source, so that services that follow the source serve it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from valence.service.classifier import seal
from valence.service.errors import SourceError
from valence.service.registry.address import check_label
from valence.service.sources.source import AliasMoved, Source, name_place

_MAX_ALIAS_BYTES = 2**20
# promotions of others that a promotion gives way to
_TRIES = 10
_MAX_LISTING_BYTES = 2**20


def push_version(source: Source, folder: Path) -> bool:
    """Write the version in ``folder`` to ``source``; whether it was not there already.

    The checksums come last, so a version that is cut short is refused by all who read it. Pushing
    again completes it.

    Raises :class:`ArtifactError` for a folder that is not whole, and :class:`SourceError` for a
    source that cannot be written or holds another model as this version: a version never changes.
    """
    manifest = seal.verify(folder)
    name = check_label(manifest.name, what="name of a model")
    version = check_label(manifest.version, what="version")
    place = f"{source.address}/{name}/{version}"
    listing = (folder / seal.CHECKSUMS).read_bytes()
    files = [*seal.read_checksums(folder / seal.CHECKSUMS), seal.CHECKSUMS]
    with name_place(place):
        held = _read_listing(source, name, version)
        if held is not None and held != listing:
            raise SourceError(
                f"{place}: the source holds another model as this version; delete it there, or "
                "train again for a new version",
                outcome="damaged",
            )
        sizes = {file: (folder / file).stat().st_size for file in files}
        if held is not None and source.measure(name, version, files) == sizes:
            return False
        source.write_version(name, version, folder, files)
    return True


def move_alias(
    source: Source, name: str, alias: str, change: Callable[[bytes | None], tuple[str, bytes]]
) -> str:
    """Replace the file of an alias by what ``change`` makes of it; the version that it names now.

    ``change`` gets the file, or None without one, and returns the version and the new file. It is
    asked again about the new file if another process has written the alias meanwhile. Raises
    :class:`SourceError` if the source does not hold the version.
    """
    check_label(name, what="name of a model")
    check_label(alias, what="name of an alias")
    place = f"{source.address}/{name}"
    version, written = "", None
    with name_place(f"{place}/{alias}.json"):
        for _ in range(_TRIES):
            mark = source.mark_alias(name, alias)
            listing = source.look(name)
            before = None
            if alias in listing.aliases:
                before = source.read_alias(name, alias, limit=_MAX_ALIAS_BYTES)
            if written is not None and before == written:
                # the answer to the write was lost, and its repetition met its own file
                return version
            version, after = change(before)
            if version not in listing.versions:
                raise SourceError(
                    f"{place}: the source does not hold the version {version}; it holds "
                    f"{', '.join(listing.versions) or 'none'}",
                    outcome="missing",
                )
            try:
                source.write_alias(name, alias, after, mark=mark)
            except AliasMoved:
                written = after
            else:
                return version
    raise SourceError(
        f"{place}/{alias}.json: other processes moved the alias {_TRIES} times meanwhile; let one "
        "process at a time promote",
        outcome="unreachable",
    )


def _read_listing(source: Source, name: str, version: str) -> bytes | None:
    try:
        size = source.measure(name, version, [seal.CHECKSUMS]).get(seal.CHECKSUMS)
    except FileNotFoundError:
        return None
    if size is None or size > _MAX_LISTING_BYTES:
        return None
    with source.open(name, version, seal.CHECKSUMS) as file:
        return file.read(_MAX_LISTING_BYTES)
