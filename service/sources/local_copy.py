"""Copies of models on this machine, for programs that load a model of a source by its address.

A copy is a folder of the cache, ``ADDRESS/NAME/VERSION``. It is verified before each use, and
replaced if it is damaged. Any number of processes may copy at once: the first folder stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from valence.service.classifier import seal
from valence.service.errors import ArtifactError, ConfigurationError, SourceError
from valence.service.files.atomic_write import make_unfinished_folder
from valence.service.registry.address import Address, check_label
from valence.service.registry.aliases import LATEST
from valence.service.registry.tag import CHAMPION, Tag
from valence.service.settings import PREFIX, Settings
from valence.service.sources import pointer
from valence.service.sources.archive import Archive
from valence.service.sources.download import Download
from valence.service.sources.kinds import open_source
from valence.service.sources.source import Listing, Source, name_place

_LIMIT = f"{PREFIX}MODEL_MAX_BYTES"


def fetch_model(source: str) -> Path:
    """The folder of the model ``source`` on this machine, copied there if it is not there yet.

    ``source`` is ``ADDRESS``, or ``ADDRESS#NAME``, ``ADDRESS#NAME:VERSION`` or
    ``ADDRESS#NAME@ALIAS``; or the URL of an archive with its checksum, ``URL#sha256=DIGEST``. What
    names its version or its checksum is asked for once; of anything else the source is asked each
    time which version it means.

    Raises :class:`ConfigurationError` for an address that is none, and :class:`SourceError` for
    what could not be copied.
    """
    environment = {name: value for name, value in os.environ.items() if name == _LIMIT}
    max_bytes = Settings.from_environment(environment).model_max_bytes
    if source.startswith(("http://", "https://")):
        archive = Archive.parse(source, max_bytes=max_bytes)
        return _hold(find_cache() / "archives" / archive.digest, archive.fetch)
    text, _, wanted = source.partition("#")
    address, tag = Address.parse(text), Tag.parse(wanted)
    if tag.name:
        check_label(tag.name, what="name of a model")
    copies = find_cache() / address.digest
    version = tag.version if tag.version != LATEST else ""
    opened = None
    if not tag.name or not version:
        opened = open_source(address)
        tag = Tag(tag.name or _find_name(opened), version, tag.alias)
        version = version or _find_version(opened, tag, copies / tag.name)
    check_label(version, what="version")

    def download(folder: Path) -> None:
        held = opened or open_source(address)
        Download(held, tag.name, version, folder, max_bytes=max_bytes).run()

    return _hold(copies / tag.name / version, download)


def find_cache() -> Path:
    """The folder of all copies; deleting it costs another download and nothing else."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "valence" / "models"


def _hold(folder: Path, fetch: Callable[[Path], object]) -> Path:
    """``folder``, whole and verified: as it is, or else as ``fetch`` makes it."""
    if _is_whole(folder):
        return folder
    try:
        with make_unfinished_folder(folder.parent) as unfinished:
            fetched = unfinished / folder.name
            fetch(fetched)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                fetched.rename(folder)
            except OSError:
                # another process was faster
                if not _is_whole(folder):
                    raise
    except OSError as error:
        raise SourceError(
            f"{folder}: the copy cannot be written: {error.strerror}; free some space, or name "
            "another folder in XDG_CACHE_HOME",
            outcome="unreachable",
        ) from None
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        seal.verify(folder)
    except ArtifactError:
        return False
    return True


def _find_name(source: Source) -> str:
    """The name of the only model of ``source``."""
    with name_place(str(source.address)):
        names = source.list_models()
    if len(names) == 1:
        return names[0]
    held = f"holds {', '.join(names)}" if names else "holds no model"
    raise ConfigurationError(
        f"{source.address} {held}; name a model: {source.address}#NAME, #NAME:VERSION or "
        "#NAME@ALIAS"
    )


def _find_version(source: Source, tag: Tag, copies: Path) -> str:
    """The version that a tag without one means: that of its alias, the champion or the latest."""
    place = f"{source.address}/{tag.name}"
    try:
        with name_place(place):
            listing = source.look(tag.name)
        alias = tag.alias or (CHAMPION if CHAMPION in listing.aliases else "")
        if alias in listing.aliases:
            with name_place(f"{place}/{alias}.json"):
                content = source.read_alias(tag.name, alias, limit=pointer.MAX_BYTES + 1)
            return pointer.read_version(f"{place}/{alias}.json", content)
    except SourceError as error:
        held = sorted(path.name for path in copies.glob("[!.]*"))
        if not held:
            raise
        raise SourceError(
            f"{error}; a copy of {', '.join(held)} is on this machine, and "
            f"{source.address}#{tag.name}:{held[-1]} is loaded without the source",
            outcome=error.outcome,
        ) from None
    return _find_latest(place, listing, tag)


def _find_latest(place: str, listing: Listing, tag: Tag) -> str:
    if tag.alias:
        raise SourceError(
            f"{place}: has no alias {tag.alias}; it has {', '.join(listing.aliases) or 'none'}",
            outcome="missing",
        )
    if not listing.versions:
        raise SourceError(
            f"{place}: the source holds no model of this name; push one there with "
            f"`valence push {tag.name} {place.rpartition('/')[0]}`",
            outcome="missing",
        )
    return max(listing.versions)
