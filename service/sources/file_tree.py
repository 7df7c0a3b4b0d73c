"""A source that fsspec reads as a tree of files; a kind of tree adds how it is written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any

import fsspec
from valence.service.errors import ConfigurationError
from valence.service.registry.address import Address, is_label
from valence.service.sources.source import Listing

EXTRA = "valence[store]"
_SUFFIX = ".json"
_BLOCK_BYTES = 4 * 2**20
# one of these differs once a file was replaced; each kind of tree has some of them
_STATES = (
    "size", "ETag", "etag", "LastModified", "generation", "updated", "mtime", "ino", "blob_id",
)  # fmt: skip
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": 5,
            "read_timeout": 30,
            "retries": {"max_attempts": 2, "mode": "standard"},
        }
    },
    "gs": {"timeout": 30},
}


class FileTree:
    """The source at ``address``: ``NAME/VERSION/FILE`` and ``NAME/ALIAS.json``, as in a store."""

    def __init__(self, address: Address) -> None:
        self.address = address
        options = {"use_listings_cache": False, "skip_instance_cache": True}
        try:
            self._files = fsspec.filesystem(
                address.kind, **options, **_OPTIONS.get(address.kind, {})
            )
        except ImportError:
            raise ConfigurationError(
                f"{address.kind}:// needs another package: pip install '{EXTRA}'"
            ) from None

    def list_models(self) -> tuple[str, ...]:
        """The names of the folders that a model can have."""
        self._files.invalidate_cache()
        entries = self._files.ls(self.address.location, detail=True)
        folders = (one["name"] for one in entries if one["type"] == "directory")
        names = (str(folder).rstrip("/").rpartition("/")[2] for folder in folders)
        return tuple(sorted(name for name in names if is_label(name)))

    def look(self, name: str) -> Listing:
        """What the tree holds of the model ``name``."""
        self._files.invalidate_cache()
        try:
            entries = self._files.ls(self._path(name), detail=True)
        except FileNotFoundError:
            return Listing()
        versions, aliases = [], {}
        for entry in entries:
            base = str(entry["name"]).rstrip("/").rpartition("/")[2]
            if entry["type"] == "directory":
                versions.append(base)
            elif base.endswith(_SUFFIX) and not base.startswith("."):
                state = [str(entry.get(key)) for key in _STATES]
                aliases[base.removesuffix(_SUFFIX)] = " ".join(state)
        return Listing(tuple(sorted(versions)), aliases)

    def read_alias(self, name: str, alias: str, *, limit: int) -> bytes:
        """At most ``limit`` bytes of the file of an alias."""
        # One request: a file that is opened is described first, and may be replaced before it is
        # read.
        content: bytes = self._files.cat_file(self._find_alias(name, alias), start=0, end=limit)
        return content

    def measure(self, name: str, version: str, files: Sequence[str]) -> dict[str, int]:
        """The size of each of ``files`` that is there."""
        sizes = {}
        for file in files:
            with suppress(FileNotFoundError):
                sizes[file] = int(self._files.info(self._path(name, version, file))["size"])
        return sizes

    def open(self, name: str, version: str, file: str) -> AbstractContextManager[IO[bytes]]:
        """One file of a version; the content ends at the size that the file has now."""
        path = self._path(name, version, file)
        opened: AbstractContextManager[IO[bytes]] = self._files.open(
            path, "rb", block_size=_BLOCK_BYTES
        )
        return opened

    def write_version(self, name: str, version: str, folder: Path, files: Sequence[str]) -> None:
        """Write ``files`` in this order."""
        for file in files:
            with (folder / file).open("rb") as content:
                self._write(self._path(name, version, file), content)

    def _find_alias(self, name: str, alias: str) -> str:
        """The path of the file of an alias."""
        return self._path(name, f"{alias}{_SUFFIX}")

    def _describe(self, path: str) -> dict[str, Any] | None:
        """What the library tells about a file now; None without the file."""
        try:
            found: dict[str, Any] = self._files.info(path)
        except FileNotFoundError:
            return None
        return found

    def _write(self, path: str, content: IO[bytes]) -> None:
        # object stores replace an object in one step
        with self._files.open(path, "wb") as target:
            shutil.copyfileobj(content, target, _BLOCK_BYTES)

    def _path(self, *parts: str) -> str:
        return "/".join((self.address.location, *parts))
