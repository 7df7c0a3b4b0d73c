"""Samples on SQLite, and with `-m slow` on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from valence.service.sampling.sample import SampledText
from valence.service.sampling.store import SampleStore

# the databases are those of feedback
from tests.service.feedback.conftest import address, postgresql

__all__ = ["address", "postgresql"]


@pytest.fixture
def store(address: str) -> Iterator[SampleStore]:
    opened = SampleStore.open(address)
    opened.prepare()
    yield opened
    opened.close()


def make_sample(number: int = 0, **fields: Any) -> SampledText:
    """A text whose priority and time are its number."""
    values = {
        "id": f"id-{number}",
        "model": "sentiment",
        "version": "1",
        "time": 1_745_383_213.0 + number,
        "reason": "uncertain",
        "priority": float(number),
        "predicted": ("positive",),
        "score": 0.5,
        "text": f"text {number}",
        **fields,
    }
    return SampledText(**values)
