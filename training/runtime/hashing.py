"""Hashes of data, which serve as its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable


def sha256_of_json(value: object) -> str:
    """SHA-256, in hexadecimal, of ``value`` as JSON; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256_of(items: Iterable[object]) -> str:
    """SHA-256, in hexadecimal, of ``items`` in their order, each as one line of JSON."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item).encode("ascii") + b"\n")
    return digest.hexdigest()
