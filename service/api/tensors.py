"""Tensors of the Open Inference Protocol: as JSON, and by its binary data extension.

With the extension a body is a JSON object, whose length the header
``Inference-Header-Content-Length`` gives, and after it the tensors that are binary, one after the
other. A BYTES tensor is, for each element, its length as four bytes, least first, and the element.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from valence.service.errors import InvalidRequest, MalformedBody

HEADER = b"inference-header-content-length"
_LENGTH = struct.Struct("<I")


def split(body: bytes, header: bytes | None) -> tuple[bytes, bytes]:
    """The JSON of ``body`` and what follows it; raises :class:`MalformedBody`."""
    if header is None:
        return body, b""
    # so many digits are beyond any body
    length = int(header) if header.isdigit() and len(header) < 20 else -1
    if not 0 < length <= len(body):
        raise MalformedBody(
            "Inference-Header-Content-Length must be the length of the JSON, which begins the "
            f"body of {len(body)} bytes"
        )
    return body[:length], body[length:]


def texts_of_binary(content: bytes, *, field: str) -> list[str]:
    """The elements of a BYTES tensor, which must be UTF-8; raises :class:`InvalidRequest`."""
    texts: list[str] = []
    offset = 0
    while offset < len(content):
        start = offset + _LENGTH.size
        if start > len(content):
            raise InvalidRequest.of(field, f"element {len(texts)}: its length is cut off")
        offset = start + _LENGTH.unpack_from(content, offset)[0]
        if offset > len(content):
            raise InvalidRequest.of(
                field,
                f"element {len(texts)}: its length leads {offset - len(content)} bytes past the "
                "end of the tensor",
            )
        try:
            texts.append(content[start:offset].decode())
        except UnicodeDecodeError:
            raise InvalidRequest.of(field, f"element {len(texts)} is not UTF-8") from None
    return texts


def texts_of_json(data: Sequence[Any], shape: Sequence[int], *, field: str) -> list[str]:
    """The elements of ``data``, flat or nested as ``shape``; raises :class:`InvalidRequest`."""
    if data and isinstance(data[0], list):
        if len(shape) < 2 or len(data) != shape[0]:
            raise InvalidRequest.of(field, f"data is not nested as the shape {list(shape)} says")
        rest = shape[1:]
        nested = [item if isinstance(item, list) else [item] for item in data]
        if any(len(item) != rest[0] for item in nested):
            raise InvalidRequest.of(field, f"data is not nested as the shape {list(shape)} says")
        data = [element for item in nested for element in item]
    for place, element in enumerate(data):
        if not isinstance(element, str):
            raise InvalidRequest.of(field, f"element {place} is no string")
    return list(data)


def binary_of_texts(texts: Sequence[str]) -> bytes:
    """A BYTES tensor of ``texts``."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def binary_of_numbers(rows: Sequence[Sequence[float]]) -> bytes:
    """An FP32 tensor of ``rows``, row by row."""
    return np.asarray(rows, dtype="<f4").tobytes()
