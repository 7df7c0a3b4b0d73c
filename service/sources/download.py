"""The download of one version: measured before it begins, continued, and verified."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from valence.service.classifier import seal
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError, SourceError
from valence.service.sources.source import Source, name_place

_MAX_LISTING_BYTES = 2**20
_MAX_FILES = 256
_PIECE_BYTES = 2**20
# what stays free on the disk beside a version
_SPARE_BYTES = 16 * 2**20


class Download:
    """Downloads ``name:version`` of ``source`` into ``folder``, which may hold files of it already.

    The version may have ``max_bytes``.
    """

    def __init__(
        self, source: Source, name: str, version: str, folder: Path, *, max_bytes: int
    ) -> None:
        self._source = source
        self._name = name
        self._version = version
        self._folder = folder
        self._max_bytes = max_bytes
        self._place = f"{source.address}/{name}/{version}"

    def run(self) -> Manifest:
        """The manifest of the version, which lies in the folder then, whole and verified.

        Raises :class:`SourceError`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        checksums = self._fetch_checksums()
        sizes = self._measure(checksums)
        for file, digest in checksums.items():
            self._fetch(file, digest, sizes[file])
        return self._verify()

    def _fetch_checksums(self) -> Mapping[str, str]:
        listing = f"{self._place}/{seal.CHECKSUMS}"
        with name_place(listing):
            sizes = self._source.measure(self._name, self._version, [seal.CHECKSUMS])
            if seal.CHECKSUMS not in sizes:
                raise FileNotFoundError
            if sizes[seal.CHECKSUMS] > _MAX_LISTING_BYTES:
                raise too_large(listing, sizes[seal.CHECKSUMS], _MAX_LISTING_BYTES)
            self._write(seal.CHECKSUMS, sizes[seal.CHECKSUMS])
        try:
            checksums = seal.read_checksums(self._folder / seal.CHECKSUMS)
        except ArtifactError as error:
            raise SourceError(f"{self._place}: {error}", outcome="damaged") from None
        for file in checksums:
            if not seal.is_part(file):
                raise SourceError(
                    f"{listing}: names {file[:80]!r}, which is no file of a model; push the "
                    "version again",
                    outcome="damaged",
                )
        if len(checksums) > _MAX_FILES:
            raise SourceError(
                f"{self._place}: {len(checksums)} files, a model may have {_MAX_FILES}; train it "
                "again",
                outcome="too_large",
            )
        return checksums

    def _measure(self, files: Iterable[str]) -> Mapping[str, int]:
        """The sizes of ``files``, which fit the limit and the disk."""
        with name_place(self._place):
            sizes = self._source.measure(self._name, self._version, list(files))
        for file in files:
            if file not in sizes:
                raise SourceError(
                    f"{self._place}/{file}: missing at the source; push the version again",
                    outcome="missing",
                )
        total = sum(sizes.values())
        if total > self._max_bytes:
            raise too_large(self._place, total, self._max_bytes)
        free = shutil.disk_usage(self._folder).free
        # the download, and its copy in the store
        if 2 * total + _SPARE_BYTES > free:
            raise SourceError(
                f"{self._place}: {total:,} bytes do not fit twice on the disk of the model store, "
                f"which has {free:,} bytes left; free some space",
                outcome="too_large",
            )
        return sizes

    def _fetch(self, file: str, digest: str, size: int) -> None:
        """Download ``file``, unless an interrupted download has left it whole."""
        target = self._folder / file
        if target.is_file() and seal.sha256(target) == digest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with name_place(f"{self._place}/{file}"):
            self._write(file, size)
        if seal.sha256(target) != digest:
            target.unlink()
            raise SourceError(
                f"{self._place}/{file}: the checksum is not the one in {seal.CHECKSUMS}: the file "
                "is damaged; push the version again",
                outcome="damaged",
            )

    def _write(self, file: str, size: int) -> None:
        """Write one file of the version, of ``size`` bytes."""
        target = self._folder / file
        left = size
        with (
            self._source.open(self._name, self._version, file) as content,
            target.open("wb") as written,
        ):
            while piece := content.read(_PIECE_BYTES):
                left -= len(piece)
                if left < 0:
                    break
                written.write(piece)
        if left:
            target.unlink()
            told = f"more than {size:,}" if left < 0 else f"{size - left:,} of {size:,}"
            raise SourceError(
                f"{self._place}/{file}: the source sent {told} bytes; it was cut short or replaced "
                "meanwhile",
                outcome="damaged",
            )

    def _verify(self) -> Manifest:
        try:
            manifest = seal.verify(self._folder)
        except ArtifactError as error:
            # what was downloaded is of no use
            shutil.rmtree(self._folder)
            raise SourceError(f"{self._place}: {error}", outcome="damaged") from None
        if (manifest.name, manifest.version) != (self._name, self._version):
            shutil.rmtree(self._folder)
            raise SourceError(
                f"{self._place}: holds {manifest.name}:{manifest.version}; push the version again",
                outcome="damaged",
            )
        return manifest


def too_large(place: str, size: int, allowed: int) -> SourceError:
    """The error for more bytes at ``place`` than are allowed."""
    return SourceError(
        f"{place}: {size:,} bytes, {allowed:,} are allowed (VALENCE_MODEL_MAX_BYTES)",
        outcome="too_large",
    )
