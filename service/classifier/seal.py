"""The seal of a model folder: a checksum for every file, and no file that can carry code.

The check works without NumPy and without the weights in memory. So the parent process can refuse a
folder before it starts a process that serves the folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from valence.service.classifier import weights
from valence.service.classifier.manifest import FORMAT_VERSION, Manifest
from valence.service.errors import ArtifactError
from valence.service.pacing import background

MANIFEST = "model.json"
WEIGHTS = "model.safetensors"
VOCABULARY = "vocabulary.txt"
CHECKSUMS = "SHA256SUMS"
REPORT = "report"

_REQUIRED = frozenset({MANIFEST, WEIGHTS, VOCABULARY})
# no part begins with a dot, so a name cannot lead out of the folder
_REPORT_FILE = re.compile(rf"{REPORT}(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
# BentoML's model store writes this file into every folder
_STORE_FILES = frozenset({"model.yaml"})
# first bytes of a zip (torch.save) and of a pickle of protocol 2 and later
# a report of thousands of labels has some megabytes; more than this is damaged or hostile
_MAX_MANIFEST_BYTES = 32 * 2**20
_MAX_VALUE_SHOWN = 40
_BLOCK_BYTES = 2**18
_CODE_SIGNATURES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def seal(folder: Path) -> None:
    """Write the checksums of all files in ``folder``."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in _contents(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> Manifest:
    """The manifest of ``folder``, after a check of all files and of the shapes of the weights.

    Raises :class:`ArtifactError` for a folder that is incomplete, changed or not a model.
    """
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder}: this model folder does not exist; train a model with `valence train`"
        )
    _verify_checksums(folder)
    manifest = _read_manifest(folder / MANIFEST)
    weights.read_layout(folder / WEIGHTS, manifest.architecture)
    return manifest


def _contents(folder: Path) -> list[str]:
    """Sorted relative names of all files, except the checksums and the file of the store."""
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(
                f"{path}: a link or a special file, which may lead out of the model folder; "
                "replace it with the file itself"
            )
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
    return [name for name in names if name != CHECKSUMS and name not in _STORE_FILES]


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal, computed in pieces."""
    digest, block = hashlib.sha256(), memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(block):
            digest.update(block[:read])
            background.pause()
    return digest.hexdigest()


def read_checksums(listing: Path) -> dict[str, str]:
    """The SHA-256 of each file that ``listing`` names; raises :class:`ArtifactError`."""
    try:
        # not splitlines() or text mode, which accept some damaged ends of lines
        *lines, rest = listing.read_bytes().decode("ascii").split("\n")
    except FileNotFoundError:
        raise ArtifactError(
            f"{listing}: missing; the folder is incomplete or not a Valence model; train it again"
        ) from None
    except UnicodeDecodeError:
        raise ArtifactError(f"{listing}: damaged; train or copy the model again") from None
    if rest or not lines:
        raise ArtifactError(f"{listing}: cut short; train or copy the model again")
    listed = {}
    for line in lines:
        digest, separator, name = line.partition("  ")
        if len(digest) != 64 or not separator or name in listed:
            raise ArtifactError(f"{listing}: damaged at {line!r}; train or copy the model again")
        listed[name] = digest
    return listed


def is_part(name: str) -> bool:
    """Whether a file may be called ``name``, a path relative to a model folder."""
    return name in _REQUIRED or _REPORT_FILE.fullmatch(name) is not None


def _verify_checksums(folder: Path) -> None:
    listing = folder / CHECKSUMS
    listed = read_checksums(listing)
    present = _contents(folder)
    for name in present:
        path = folder / name
        if _may_carry_code(path):
            raise ArtifactError(
                f"{path}: a pickle or an archive, which can run code when loaded; Valence reads "
                "safetensors only"
            )
        in_report = name.startswith(f"{REPORT}/") and name in listed
        if not in_report and name not in _REQUIRED:
            raise ArtifactError(f"{path}: not part of a Valence model; remove it")
    for name in sorted(_REQUIRED | listed.keys()):
        if name not in present:
            raise ArtifactError(f"{folder / name}: missing; train or copy the model again")
        if name not in listed:
            raise ArtifactError(f"{listing}: does not list {name}; train or copy the model again")
        if sha256(folder / name) != listed[name]:
            raise ArtifactError(
                f"{folder / name}: the checksum is not the one in {CHECKSUMS}: the file was "
                "damaged, cut short or replaced; train or copy the model again"
            )


def _may_carry_code(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file begins with the length of its JSON header. For lengths 640, 896, 1152, ...
    # its low bytes are those of a pickle; the brace of the header distinguishes the two.
    if path.name == WEIGHTS and start.endswith(b"\0\0\0\0{"):
        return False
    return start.startswith(_CODE_SIGNATURES)


def _read_manifest(path: Path) -> Manifest:
    size = path.stat().st_size
    if size > _MAX_MANIFEST_BYTES:
        raise ArtifactError(
            f"{path}: {size:,} bytes, a manifest may have {_MAX_MANIFEST_BYTES:,}; train the model "
            "again"
        )
    text = path.read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not JSON ({error})") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version {version!r}, this version of Valence reads {FORMAT_VERSION}; "
            "train the model with this version or serve it with the version that trained it"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(f"{path}: {where}: {_explain(first)}") from None


def _explain(error: ErrorDetails) -> str:
    """The message of ``error`` with the value that is wrong, if the value is a number."""
    message, value = error["msg"].removeprefix("Value error, "), error["input"]
    if isinstance(value, int | float):
        message += f", not {str(value)[:_MAX_VALUE_SHOWN]}"
    return f"{message}; train the model again"
