"""The seal of a model folder: a checksum for every file, and no file that could carry code.

Needs neither NumPy nor the weights in memory, so that a process can refuse a folder before one that
serves it exists.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError
from valence.service.classifier import weights
from valence.service.classifier.manifest import FORMAT_VERSION, Manifest
from valence.service.errors import ArtifactError

MANIFEST = "model.json"
WEIGHTS = "model.safetensors"
VOCABULARY = "vocabulary.txt"
CHECKSUMS = "SHA256SUMS"
REPORT = "report"

_REQUIRED = frozenset({MANIFEST, WEIGHTS, VOCABULARY})
# BentoML's model store writes this file into every folder it keeps
_STORE_FILES = frozenset({"model.yaml"})
# first bytes of a zip (torch.save) and of a pickle of protocol 2 and later
_CODE_SIGNATURES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def seal(folder: Path) -> None:
    """Write the checksums of everything in ``folder``."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in _contents(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> Manifest:
    """What ``folder`` says it is, once all of it is as it was sealed and its weights fit it.

    Raises :class:`ArtifactError`.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such model folder; train one with `valence train`")
    _verify_checksums(folder)
    manifest = _read_manifest(folder / MANIFEST)
    weights.layout(folder / WEIGHTS, manifest.architecture)
    return manifest


def _contents(folder: Path) -> list[str]:
    """Relative names of all files but the checksums and the store's own, sorted."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(
                f"{path}: a link or a special file, which may lead out of the model folder; put "
                "the file itself there"
            )
        if path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return [name for name in found if name != CHECKSUMS and name not in _STORE_FILES]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; it is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_checksums(folder: Path) -> None:
    listing = folder / CHECKSUMS
    try:
        # not splitlines() or text mode, to which a damaged end of line could still be one
        *lines, rest = listing.read_bytes().decode("ascii").split("\n")
    except FileNotFoundError:
        raise ArtifactError(
            f"{listing}: missing; the folder is incomplete or no Valence model; train it anew"
        ) from None
    except UnicodeDecodeError:
        raise ArtifactError(f"{listing}: damaged; train or copy the model anew") from None
    if rest or not lines:
        raise ArtifactError(f"{listing}: cut short; train or copy the model anew")
    listed = {}
    for line in lines:
        digest, separator, name = line.partition("  ")
        if len(digest) != 64 or not separator or name in listed:
            raise ArtifactError(f"{listing}: damaged at {line!r}; train or copy the model anew")
        listed[name] = digest
    present = _contents(folder)
    for name in present:
        path = folder / name
        if _holds_code(path):
            raise ArtifactError(
                f"{path}: holds a pickle or an archive, which can run code when loaded; Valence "
                "reads safetensors only"
            )
        in_report = name.startswith(f"{REPORT}/") and name in listed
        if not in_report and name not in _REQUIRED:
            raise ArtifactError(f"{path}: not part of a Valence model; remove it")
    for name in sorted(_REQUIRED | listed.keys()):
        if name not in present:
            raise ArtifactError(f"{folder / name}: missing; train or copy the model anew")
        if name not in listed:
            raise ArtifactError(f"{listing}: does not list {name}; train or copy the model anew")
        if sha256(folder / name) != listed[name]:
            raise ArtifactError(
                f"{folder / name}: its checksum is not the one in {CHECKSUMS}: the file was "
                "damaged, cut short or replaced; train or copy the model anew"
            )


def _holds_code(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file opens with the length of its JSON header, whose low bytes are those of a
    # pickle where the length is 640, 896, 1152, ...; the header's brace tells them apart.
    if path.name == WEIGHTS and start.endswith(b"\0\0\0\0{"):
        return False
    return start.startswith(_CODE_SIGNATURES)


def _read_manifest(path: Path) -> Manifest:
    text = path.read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not JSON ({error})") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version {version!r}, this Valence reads {FORMAT_VERSION}; train the "
            "model with this version or serve it with the one that made it"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ArtifactError(f"{path}: {where}: {first['msg']}") from None
