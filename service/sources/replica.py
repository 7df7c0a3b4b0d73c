"""The copy of a source in the model store of this process: verified, and placed whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from valence.service.classifier import seal
from valence.service.errors import ArtifactError, ConfigurationError, SourceError
from valence.service.files.atomic_write import write_file
from valence.service.registry import bento_store, placement
from valence.service.registry.address import check_label
from valence.service.registry.aliases import LATEST
from valence.service.registry.tag import CHAMPION
from valence.service.sources import pointer
from valence.service.sources.download import Download
from valence.service.sources.source import Listing, Source, name_place

_DOWNLOADS = "downloads"
_MAX_ALIASES = 64
# versions that no alias names any more
_KEPT = 4


class Change(NamedTuple):
    """What a refresh has copied of a model."""

    versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Replica:
    """Copies what ``source`` holds of models into the model store of this process.

    An alias moves here once its version lies here, verified. So whatever fails, the store names
    only versions that it holds whole. Methods are for one thread at a time; another process that
    copies into the same store is left to its work. With ``mirror`` the store is for the copy alone:
    what the source does not name any more is deleted.
    """

    def __init__(self, source: Source, *, max_bytes: int, mirror: bool = True) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._mirror = mirror
        self._states: dict[tuple[str, str], str] = {}

    def refresh(self, name: str, version: str = "", *, verify: bool = False) -> Change:
        """Copy what the source holds anew of the model ``name``, and what its aliases name.

        Without a champion it is the latest version, and with ``version`` it is that version too.
        ``verify`` waits for other processes, reads what lies here already, and copies it again if
        it is damaged.

        Raises :class:`SourceError` for what could not be copied, after the rest was copied.
        """
        check_label(name, what="name of a model")
        with self._lock(wait=verify) as held:
            return self._refresh(name, version, verify=verify) if held else Change()

    def _refresh(self, name: str, pinned: str, *, verify: bool) -> Change:
        place = f"{self._source.address}/{name}"
        with name_place(place):
            listing = self._source.look(name)
        if not listing.versions and not listing.aliases:
            raise SourceError(
                f"{place}: the source holds no model of this name; push one there with "
                f"`valence push {name} {self._source.address}`",
                outcome="missing",
            )
        faults: list[SourceError] = []
        contents = self._read_aliases(name, listing, faults)
        wanted = {pinned: None} if pinned not in ("", LATEST) else {}
        wanted |= {moved: None for moved, _ in contents.values()}
        latest = max(listing.versions, default="")
        if latest and (pinned == LATEST or CHAMPION not in listing.aliases):
            wanted[latest] = None
        pulled = [one for one in wanted if self._hold(name, one, faults, verify=verify)]
        moved = self._move_aliases(name, listing, contents)
        if latest in wanted and (bento_store.folder() / name / latest).is_dir():
            self._write(name, LATEST, latest)
        if faults:
            raise faults[0]
        if self._mirror:
            self._forget(name, wanted)
        return Change(tuple(pulled), tuple(moved))

    def _read_aliases(
        self, name: str, listing: Listing, faults: list[SourceError]
    ) -> dict[str, tuple[str, bytes]]:
        """The version and the file of each alias that may have moved."""
        if len(listing.aliases) > _MAX_ALIASES:
            raise SourceError(
                f"{self._source.address}/{name}: {len(listing.aliases)} aliases, a model may have "
                f"{_MAX_ALIASES}; delete some",
                outcome="too_large",
            )
        found = {}
        for alias, state in listing.aliases.items():
            local = bento_store.folder() / name / f"{alias}.json"
            if self._states.get((name, alias)) == state and local.is_file():
                continue
            place = f"{self._source.address}/{name}/{alias}.json"
            try:
                with name_place(place):
                    check_label(alias, what="name of an alias")
                    content = self._source.read_alias(name, alias, limit=pointer.MAX_BYTES + 1)
                found[alias] = (pointer.read_version(place, content), content)
            except ConfigurationError as error:
                faults.append(SourceError(f"{place}: {error}", outcome="damaged"))
            except SourceError as error:
                faults.append(error)
        return found

    def _hold(self, name: str, version: str, faults: list[SourceError], *, verify: bool) -> bool:
        """Whether ``version`` was copied; it was not if it lies here already, or cannot be had."""
        folder = bento_store.folder() / name / version
        try:
            check_label(version, what="version")
            if folder.is_dir():
                if not verify:
                    return False
                # of a process that was killed after it had placed the version
                shutil.rmtree(self._find_download(name, version), ignore_errors=True)
                try:
                    seal.verify(folder)
                except ArtifactError:
                    shutil.rmtree(folder)
                else:
                    return False
            self._pull(name, version)
        except SourceError as error:
            faults.append(error)
            return False
        except ConfigurationError as error:
            faults.append(SourceError(f"{self._source.address}/{name}: {error}", outcome="damaged"))
            return False
        return True

    def _pull(self, name: str, version: str) -> None:
        """Download a version beside the store, verify it, and place it."""
        folder = self._find_download(name, version)
        # those of other versions were interrupted
        if folder.parent.is_dir():
            for other in folder.parent.iterdir():
                if other != folder:
                    shutil.rmtree(other, ignore_errors=True)
        download = Download(self._source, name, version, folder, max_bytes=self._max_bytes)
        placement.place_model(folder, download.run())
        shutil.rmtree(folder)

    @staticmethod
    def _find_download(name: str, version: str) -> Path:
        return bento_store.folder().parent / _DOWNLOADS / f"{name}-{version}"

    def _move_aliases(
        self, name: str, listing: Listing, contents: Mapping[str, tuple[str, bytes]]
    ) -> list[str]:
        """Write the aliases whose versions lie here, and delete those that the source has not."""
        folder = bento_store.folder() / name
        moved = []
        for alias, (version, content) in contents.items():
            if not (folder / version).is_dir():
                continue
            if self._write(name, f"{alias}.json", content.decode()):
                moved.append(alias)
            self._states[name, alias] = listing.aliases[alias]
        for local in folder.glob("*.json") if self._mirror else ():
            if local.stem not in listing.aliases and local.stem != CHAMPION:
                local.unlink()
                moved.append(local.stem)
        return moved

    def _forget(self, name: str, wanted: Iterable[str]) -> None:
        """Delete old versions; the newest ones stay for a rollback, and those that aliases name."""
        folder = bento_store.folder() / name
        named = {
            pointer.read_version(str(path), path.read_bytes()) for path in folder.glob("*.json")
        }
        others = [
            path
            for path in folder.iterdir()
            if path.is_dir() and path.name not in named and path.name not in wanted
        ]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)

    def _write(self, name: str, file: str, content: str) -> bool:
        """Whether ``file`` beside the versions of ``name`` has another content now."""
        path = bento_store.folder() / name / file
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            return False
        write_file(path, content)
        return True

    @contextmanager
    def _lock(self, *, wait: bool) -> Iterator[bool]:
        """Whether this process may copy; the kernel ends the lock with the process."""
        folder = bento_store.folder().parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)
