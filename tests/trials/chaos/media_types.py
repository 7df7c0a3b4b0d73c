"""Serializers for media types that schemathesis does not know."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from valence.service.api.v1 import stream

_LINES = ("application/jsonlines", *stream.MEDIA_TYPES)


def _written(context: Any, value: Any) -> bytes:
    """Write JSON lines: a list as its items, any other value as one line."""
    if isinstance(value, bytes):
        return value
    lines = value if isinstance(value, list) else [value]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _read(context: Any, response: Any) -> Any:
    """Read the lines of an answer; the schema of one line describes each of them."""
    lines = [json.loads(line) for line in response.content.splitlines() if line]
    return lines[0] if lines else {}


for media_type in _LINES:
    schemathesis.serializer(media_type)(_written)
    schemathesis.deserializer(media_type)(_read)
