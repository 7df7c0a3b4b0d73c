"""A classifier on disk: a folder of plain files, each checksummed, none of them code.

::

    model.json          Manifest
    model.safetensors   the weights, fp32
    vocabulary.txt      a word a line, UTF-8
    report/             the evaluation report (optional)
    SHA256SUMS          of all of these, as ``sha256sum --check`` reads it

Loading believes nothing: a file that is missing, unlisted, changed, of a wrong shape or able to
carry code is refused with its name and the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import ValidationError

from service.classifier.manifest import FORMAT_VERSION, Manifest
from service.classifier.vocabulary import Vocabulary
from service.errors import ArtifactError

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

Tensors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A loaded and verified classifier; tensors are named as in ``Architecture.tensor_shapes``."""

    manifest: Manifest
    vocabulary: Vocabulary
    tensors: Tensors


def save(folder: Path, manifest: Manifest, vocabulary: Vocabulary, tensors: Tensors) -> None:
    """Write the classifier into ``folder``, which may hold a ``report/`` already, then seal it."""
    _check_tensors(manifest, vocabulary, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    # safetensors writes an array's memory as it lies there
    ordered = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    safetensors.numpy.save_file(ordered, folder / WEIGHTS)
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in _contents(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def load(folder: Path) -> Artifact:
    """Read and verify the classifier in ``folder``; raises :class:`ArtifactError`."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such model folder; train one with `make train`")
    _verify_checksums(folder)
    manifest = _read_manifest(folder / MANIFEST)
    vocabulary = _read_vocabulary(folder / VOCABULARY)
    tensors = _read_tensors(folder / WEIGHTS)
    try:
        _check_tensors(manifest, vocabulary, tensors)
    except ArtifactError as error:
        raise ArtifactError(f"{folder / WEIGHTS}: {error}") from None
    return Artifact(manifest, vocabulary, tensors)


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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_checksums(folder: Path) -> None:
    listing = folder / CHECKSUMS
    try:
        lines = listing.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise ArtifactError(
            f"{listing}: missing; the folder is incomplete or no Valence model; train it anew"
        ) from None
    except UnicodeDecodeError:
        raise ArtifactError(f"{listing}: damaged; train or copy the model anew") from None
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
        if _sha256(folder / name) != listed[name]:
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


def _read_vocabulary(path: Path) -> Vocabulary:
    try:
        # not splitlines(), which also splits at U+2028 and other characters a word may hold
        return Vocabulary(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: not UTF-8 at byte {error.start}") from None
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None


def _read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - the file is no mapping
                kind = file.get_slice(name).get_dtype()
                if kind != "F32":
                    raise ArtifactError(f"{path}: {name} holds {kind}; Valence reads F32 only")
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{path}: not a safetensors file ({error})") from None


def _check_tensors(manifest: Manifest, vocabulary: Vocabulary, tensors: Tensors) -> None:
    """The words and tensors are those the architecture asks for, the tensors fp32 and finite."""
    architecture = manifest.architecture
    if len(vocabulary) != architecture.vocabulary_size:
        raise ArtifactError(
            f"the vocabulary has {len(vocabulary)} words, the architecture asks for "
            f"{architecture.vocabulary_size}"
        )
    expected = architecture.tensor_shapes()
    if tensors.keys() != expected.keys():
        odd = ", ".join(sorted(tensors.keys() ^ expected.keys()))
        raise ArtifactError(f"tensors missing or not of this architecture: {odd}")
    for name, shape in expected.items():
        found = tensors[name]
        if found.shape != shape or found.dtype != np.float32:
            raise ArtifactError(
                f"{name} is {found.shape} {found.dtype}, the architecture asks for {shape} float32"
            )
        if not np.isfinite(found).all():
            raise ArtifactError(f"{name} holds numbers that are not finite; train the model anew")
