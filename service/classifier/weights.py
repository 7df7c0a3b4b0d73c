"""The place of each tensor in ``model.safetensors``, after a check of the header.

Works without NumPy and without the weights in memory, as the seal does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from valence.service.classifier.architecture import Architecture
from valence.service.errors import ArtifactError

# the file begins with the length of the header, little-endian
_LENGTH_BYTES = 8
_FLOAT_BYTES = 4
# some hundreds of tensors, with room for remarks; the header is read into memory whole
_MAX_HEADER_BYTES = 4 * 2**20


def read_layout(path: Path, architecture: Architecture) -> dict[str, tuple[int, int]]:
    """First byte and last byte + 1 of each tensor of ``architecture`` in the file ``path``.

    Raises :class:`ArtifactError` for a file that is not safetensors, and for tensors whose names,
    types or shapes are not those of the architecture.
    """
    header, start = _read_header(path)
    expected = architecture.tensor_shapes()
    if header.keys() != expected.keys():
        mismatch = ", ".join(sorted(header.keys() ^ expected.keys()))
        raise ArtifactError(f"{path}: tensors missing or not of this architecture: {mismatch}")
    layout = {}
    for name, shape in expected.items():
        entry = header[name]
        if entry["dtype"] != "F32":
            raise ArtifactError(
                f"{path}: {name} has the type {entry['dtype']}; Valence reads F32 only"
            )
        if entry["shape"] != list(shape):
            raise ArtifactError(
                f"{path}: {name} is {tuple(entry['shape'])} float32, the architecture requires "
                f"{shape} float32"
            )
        first, last = entry["data_offsets"]
        if last - first != _FLOAT_BYTES * math.prod(shape):
            raise _not_safetensors(path, f"{name} has {last - first} bytes")
        layout[name] = (start + first, start + last)
    return layout


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The entry of each tensor, and the offset of the tensors' bytes, which fill the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = _LENGTH_BYTES + int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or start > size:
            raise _not_safetensors(path, "shorter than its header")
        if start > _MAX_HEADER_BYTES:
            raise _not_safetensors(path, f"a header of {start:,} bytes")
        text = file.read(start - _LENGTH_BYTES)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        spans = sorted(_span(entry) for entry in header.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _not_safetensors(path, "the header is invalid") from None
    end = 0
    for first, last in spans:
        if first != end:
            raise _not_safetensors(path, "the tensors overlap or leave gaps")
        end = last
    if start + end != size:
        raise _not_safetensors(path, f"{size} bytes, by its header {start + end}")
    return header, start


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    """The offsets of a tensor. Raises TypeError for an entry of another form."""
    first, last = entry["data_offsets"]
    sizes = entry["shape"]
    if not isinstance(entry["dtype"], str) or not isinstance(sizes, list):
        raise TypeError
    if not all(type(number) is int and number >= 0 for number in (first, last, *sizes)):
        raise TypeError
    return first, last


def _not_safetensors(path: Path, why: str) -> ArtifactError:
    return ArtifactError(f"{path}: not a safetensors file ({why})")
