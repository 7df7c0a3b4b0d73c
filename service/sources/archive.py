"""A model folder in an archive of tar behind a URL, whose checksum the caller knows."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import build_opener

from valence.service.classifier import seal
from valence.service.errors import ArtifactError, ConfigurationError, SourceError
from valence.service.sources.download import too_large
from valence.service.sources.source import name_place

_CHECKSUM = re.compile(r"sha256=([0-9a-fA-F]{64})")
_PIECE_BYTES = 2**20
# of one answer of the server
_TIMEOUT_SECONDS = 30
# BentoML's model store writes this file into every folder
_STORE_FILE = "model.yaml"


@dataclass(frozen=True)
class Archive:
    """An archive at ``url``; all its files together may have ``max_bytes``."""

    url: str
    digest: str
    max_bytes: int

    @classmethod
    def parse(cls, text: str, *, max_bytes: int) -> Archive:
        """The archive at ``URL#sha256=DIGEST``.

        Raises :class:`ConfigurationError`, whose message does not quote what could be credentials.
        """
        url, _, fragment = text.partition("#")
        checksum = _CHECKSUM.fullmatch(fragment)
        if checksum is None:
            raise ConfigurationError(
                f"{_name(url)} has no checksum: the URL of a model ends with #sha256= and the 64 "
                "hexadecimal digits that `sha256sum FILE` prints"
            )
        return cls(url, checksum[1].lower(), max_bytes)

    def fetch(self, folder: Path) -> None:
        """Download the archive, compare its checksum, and unpack the model into ``folder``.

        Raises :class:`SourceError`.
        """
        place = _name(self.url)
        with name_place(place), tempfile.TemporaryFile() as file:
            self._download(place, file)
            file.seek(0)
            self._unpack(place, file, folder)
        try:
            seal.verify(folder)
        except ArtifactError as error:
            raise SourceError(f"{place}: {error}", outcome="damaged") from None

    def _download(self, place: str, file: IO[bytes]) -> None:
        digest, left = hashlib.sha256(), self.max_bytes
        try:
            with build_opener().open(self.url, timeout=_TIMEOUT_SECONDS) as answer:
                while piece := answer.read(_PIECE_BYTES):
                    left -= len(piece)
                    if left < 0:
                        raise too_large(place, self.max_bytes - left, self.max_bytes)
                    digest.update(piece)
                    file.write(piece)
        except HTTPError as error:
            raise SourceError(
                f"{place}: the server answered {error.code} {error.reason}; look at the URL",
                outcome="missing" if error.code in (404, 410) else "unreachable",
            ) from None
        if digest.hexdigest() != self.digest:
            raise SourceError(
                f"{place}: the SHA-256 is {digest.hexdigest()}, not {self.digest}: the file was "
                "damaged or replaced",
                outcome="damaged",
            )

    def _unpack(self, place: str, file: IO[bytes], folder: Path) -> None:
        """Write the parts of the model that lie in the archive, in one folder or in none."""
        left, top = self.max_bytes, None
        try:
            with tarfile.open(fileobj=file, mode="r:*") as archive:
                for member in archive:
                    left -= member.size
                    if left < 0:
                        raise too_large(place, self.max_bytes - left, self.max_bytes)
                    if member.isdir():
                        continue
                    before, name = _cut(member.name.removeprefix("./"))
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is None or not name or top not in (None, before):
                        raise SourceError(
                            f"{place}: {member.name[:80]!r} is not part of a Valence model; pack "
                            "the folder of one version and nothing else",
                            outcome="damaged",
                        )
                    top = before
                    if name != _STORE_FILE:
                        (folder / name).parent.mkdir(parents=True, exist_ok=True)
                        with (folder / name).open("wb") as target:
                            shutil.copyfileobj(content, target, _PIECE_BYTES)
        except (tarfile.TarError, EOFError):
            raise SourceError(
                f"{place}: not an archive of tar; pack the model by `tar czf FILE -C FOLDER .`",
                outcome="damaged",
            ) from None


def _cut(path: str) -> tuple[str, str]:
    """The folder in the archive, and the name in the model; both empty for another file."""
    name = path
    while name:
        if seal.is_part(name) or name in (seal.CHECKSUMS, _STORE_FILE):
            return path.removesuffix(name), name
        name = name.partition("/")[2]
    return "", ""


def _name(url: str) -> str:
    """The URL without what could be credentials."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ConfigurationError("the URL of a model is https://HOST/PATH#sha256=DIGEST")
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"the URL of a model on {host} has a name or a password in it; use a URL that needs "
            "neither"
        )
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
