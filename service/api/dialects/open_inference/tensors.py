"""Tensors of the Open Inference Protocol, as JSON and with the binary data extension.

With the extension a body is a JSON object followed by the binary tensors, one after the other. The
header ``Inference-Header-Content-Length`` has the length of the JSON. A BYTES tensor is the
sequence of its elements, each with its length before it as four bytes, least significant byte
first.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from valence.service.errors import InvalidRequest, MalformedBody

HEADER = b"inference-header-content-length"
_LENGTH = struct.Struct("<I")


def split_body(body: bytes, header: bytes | None) -> tuple[bytes, bytes]:
    """Split ``body`` into its JSON and the rest. Raises :class:`MalformedBody`."""
    if header is None:
        return body, b""
    # a number of 20 digits is larger than any body
    length = int(header) if header.isdigit() and len(header) < 20 else -1
    if not 0 < length <= len(body):
        raise MalformedBody(
            "Inference-Header-Content-Length must be the length of the JSON at the start of the "
            f"body, which has {len(body)} bytes"
        )
    return body[:length], body[length:]


def decode_binary_texts(content: bytes, *, field: str, max_texts: int) -> list[str]:
    """The elements of a BYTES tensor.

    Raises :class:`InvalidRequest` if one is not UTF-8, or as soon as there are too many.
    """
    texts: list[str] = []
    offset = 0
    while offset < len(content):
        if len(texts) == max_texts:
            raise InvalidRequest.for_field(
                field,
                f"more than the {max_texts} texts that a request may have; send several requests",
            )
        start = offset + _LENGTH.size
        if start > len(content):
            raise InvalidRequest.for_field(field, f"the length of element {len(texts)} is cut off")
        offset = start + _LENGTH.unpack_from(content, offset)[0]
        if offset > len(content):
            raise InvalidRequest.for_field(
                field,
                f"element {len(texts)} ends {offset - len(content)} bytes after the end of the "
                "tensor",
            )
        try:
            texts.append(content[start:offset].decode())
        except UnicodeDecodeError:
            raise InvalidRequest.for_field(field, f"element {len(texts)} is not UTF-8") from None
    return texts


def decode_json_texts(data: Sequence[Any], shape: Sequence[int], *, field: str) -> list[str]:
    """The elements of ``data``, flat or nested as in ``shape``.

    Raises :class:`InvalidRequest` if ``data`` has another nesting or an element is not a string.
    """
    if data and isinstance(data[0], list):
        if len(shape) < 2 or len(data) != shape[0]:
            raise InvalidRequest.for_field(
                field, f"data does not have the nesting of the shape {list(shape)}"
            )
        rest = shape[1:]
        nested = [item if isinstance(item, list) else [item] for item in data]
        if any(len(item) != rest[0] for item in nested):
            raise InvalidRequest.for_field(
                field, f"data does not have the nesting of the shape {list(shape)}"
            )
        data = [element for item in nested for element in item]
    for index, element in enumerate(data):
        if not isinstance(element, str):
            raise InvalidRequest.for_field(field, f"element {index} is not a string")
    return list(data)


def decode_base64_texts(elements: Sequence[str], *, field: str) -> list[str]:
    """The texts whose UTF-8 ``elements`` hold in base64, as the codec of MLServer writes them.

    Raises :class:`InvalidRequest` for an element that is not base64 of UTF-8.
    """
    texts = []
    for index, element in enumerate(elements):
        try:
            texts.append(base64.b64decode(element, validate=True).decode())
        except ValueError:
            raise InvalidRequest.for_field(
                field,
                f"element {index} is not base64 of a text in UTF-8, which the content type base64 "
                "says; leave content_type out for plain texts",
            ) from None
    return texts


def encode_texts(texts: Sequence[str]) -> bytes:
    """``texts`` as a BYTES tensor."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def encode_numbers(rows: Sequence[Sequence[float]]) -> bytes:
    """``rows`` as an FP32 tensor, in row order."""
    return np.asarray(rows, dtype="<f4").tobytes()
