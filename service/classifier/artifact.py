"""A classifier on disk: a folder of plain files with checksums. None of the files is code.

::

    model.json          Manifest
    model.safetensors   the weights, fp32
    vocabulary.txt      one word per line, UTF-8
    report/             the evaluation report, the golden answers and the reference (optional)
    SHA256SUMS          checksums of all these files, for ``sha256sum --check``

Loading verifies everything. A file that is missing, unlisted, changed, of a wrong shape or able to
carry code is refused, and the error has its name and the reason.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from valence.service.classifier import golden, reference, seal, weights
from valence.service.classifier.architecture import (
    NGRAM_SCALES,
    NGRAM_WEIGHTS,
    NGRAM_WORDS,
    Architecture,
)
from valence.service.classifier.golden import GoldenAnswer
from valence.service.classifier.manifest import Manifest, Normalization
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.reference import Reference
from valence.service.classifier.seal import CHECKSUMS, MANIFEST, REPORT, VOCABULARY, WEIGHTS
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ArtifactError
from valence.service.pacing import background

__all__ = [
    "CHECKSUMS", "MANIFEST", "REPORT", "VOCABULARY", "WEIGHTS",
    "Artifact", "Tensors", "load", "save",
]  # fmt: skip

Tensors = Mapping[str, NDArray[np.float32]]

_EMBEDDING = "embedding.weight"
_FIRST_WEIGHTS = ("recurrent.weight_ih_l0", "recurrent.weight_ih_l0_reverse")
# Sums of trained networks are below some thousands, and fp32 ends at 3e38: the distance is for
# engines that compute with scaled numbers.
_MAX_SUM = 1e30
# some dozens of bytes for each of the words that an architecture may have
_MAX_VOCABULARY_BYTES = 512 * 2**20
# what is looked at between two pauses of a thread in the background
_PIECE_CHARACTERS, _PIECE_NUMBERS = 2**13, 2**17


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified classifier; ``tensors`` are named as in ``Architecture.tensor_shapes``."""

    manifest: Manifest
    vocabulary: Vocabulary
    tensors: Tensors
    golden: tuple[GoldenAnswer, ...] = ()
    reference: Reference | None = None


def save(folder: Path, manifest: Manifest, vocabulary: Vocabulary, tensors: Tensors) -> None:
    """Write the classifier into ``folder``, which may have a ``report/``, and seal it."""
    _check_tensors(manifest, vocabulary, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    # safetensors writes the memory of an array as it is, so arrays must be contiguous
    ordered = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    safetensors.numpy.save_file(ordered, folder / WEIGHTS)
    seal.seal(folder)


def load(folder: Path) -> Artifact:
    """Read and verify the classifier in ``folder``. Raises :class:`ArtifactError`."""
    manifest = seal.verify(folder)
    vocabulary = _read_vocabulary(folder / VOCABULARY, manifest.normalization)
    tensors = _read_tensors(folder / WEIGHTS, manifest.architecture)
    try:
        _check_tensors(manifest, vocabulary, tensors)
    except ArtifactError as error:
        raise ArtifactError(f"{folder / WEIGHTS}: {error}") from None
    answers = golden.read(folder / REPORT / golden.FILE, labels=len(manifest.labels))
    answered = reference.read(folder / REPORT, manifest)
    return Artifact(manifest, vocabulary, tensors, answers, answered)


def _read_vocabulary(path: Path, normalization: Normalization) -> Vocabulary:
    size = path.stat().st_size
    if size > _MAX_VOCABULARY_BYTES:
        raise ArtifactError(
            f"{path}: {size:,} bytes, a vocabulary may have {_MAX_VOCABULARY_BYTES:,}; train the "
            "model again"
        )
    background.pause()
    try:
        text = path.read_text(encoding="utf-8")
        background.pause()
        return Vocabulary(
            _split_lines(text),
            misspelled=normalization.misspelled,
            emoji=normalization.emoji,
            rules=normalization.tokenizer,
        )
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: not UTF-8 at byte {error.start}") from None
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None


def _split_lines(text: str) -> list[str]:
    """The lines of ``text``, which only line feeds end."""
    # not splitlines(), which also splits at U+2028 and other characters that words may have
    file, found = io.StringIO(text), list[str]()
    while lines := file.readlines(_PIECE_CHARACTERS):
        found += [line.removesuffix("\n") for line in lines]
        background.pause()
    return found


def _read_tensors(path: Path, architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """The tensors, mapped from the file: processes share its pages without a copy."""
    places = weights.read_layout(path, architecture)
    content = np.memmap(path, dtype=np.uint8, mode="r")
    tensors = {}
    for name, shape in architecture.tensor_shapes().items():
        first, last = places[name]
        flat = np.require(content[first:last].view(np.ndarray).view(np.float32), requirements="A")
        tensors[name] = flat.reshape(shape)
    return tensors


def _check_tensors(manifest: Manifest, vocabulary: Vocabulary, tensors: Tensors) -> None:
    """Raise :class:`ArtifactError` unless words and tensors fit the architecture.

    Tensors must be float32 and finite.
    """
    architecture = manifest.architecture
    if len(vocabulary) != architecture.vocabulary_size:
        raise ArtifactError(
            f"the vocabulary has {len(vocabulary)} words, the architecture requires "
            f"{architecture.vocabulary_size}"
        )
    expected = architecture.tensor_shapes()
    if tensors.keys() != expected.keys():
        mismatch = ", ".join(sorted(tensors.keys() ^ expected.keys()))
        raise ArtifactError(f"tensors missing or not of this architecture: {mismatch}")
    for name, shape in expected.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise ArtifactError(
                f"{name} is {tensor.shape} {tensor.dtype}, the architecture requires {shape} "
                "float32"
            )
        if not all(np.isfinite(rows).all() for rows in _cut(tensor)):
            raise ArtifactError(f"{name} has numbers that are not finite; train the model again")
    _check_sums(tensors)
    if architecture.ngrams:
        NGramTable(tensors, vocabulary_size=architecture.vocabulary_size)


def _cut(tensor: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return background.cut(tensor, max(_PIECE_NUMBERS // max(math.prod(tensor.shape[1:]), 1), 1))


def _check_sums(tensors: Tensors) -> None:
    """Raise :class:`ArtifactError` if a sum in the network may overflow, for whatever text.

    Hidden states lie in [-1, 1]. So no sum over them is larger than that of the absolute weights.
    In the first layer each weight counts as often as the largest number in its column of the
    embedding. A text has each n-gram at most once, and is divided by one scale or more.
    """
    embedding = tensors.get(_EMBEDDING, np.zeros((1, 0), dtype=np.float32))
    largest = np.max(
        [np.maximum(rows.max(axis=0), -rows.min(axis=0)) for rows in _cut(embedding)], axis=0
    ).astype(np.float64)  # (E,)
    for name, tensor in tensors.items():
        if name in (_EMBEDDING, NGRAM_WORDS, NGRAM_SCALES):
            continue
        parts = (np.abs(rows, dtype=np.float64) for rows in _cut(tensor))
        if name == NGRAM_WEIGHTS:
            smallest = float(tensors[NGRAM_SCALES].min()) or 1.0
            sums = sum(absolute.sum(axis=0) for absolute in parts) / abs(smallest)
        elif name in _FIRST_WEIGHTS:
            sums = np.concatenate([absolute @ largest for absolute in parts])
        else:
            sums = np.array([absolute.sum(axis=-1).max() for absolute in parts])
        if sums.max() > _MAX_SUM:
            raise ArtifactError(
                f"{name} has numbers so large that sums in the network may not be finite; train "
                "the model again"
            )
