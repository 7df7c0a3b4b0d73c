"""The speed of an engine beside another one, in time of the processor."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine
from valence.service.pacing import background

_TOKENS = 16
_ROUNDS = 5
# A thread that waits for the interpreter's lock spends some microseconds of the processor on it.
# A call that is measured computes so much longer that this does not count.
_ENOUGH_SECONDS = 4e-4
_FEWEST_ROWS, _MOST_ROWS = 16, 2_048


def compare_speed(engine: Engine, other: Engine, *, words: int) -> float:
    """How many times as long as ``other`` the ``engine`` computes, in time of the processor.

    Both compute the same documents of the first ``words`` words, in turn. The time on the wall
    would also count what else the processor does: other programs, and the requests that a service
    answers while it loads a version.
    """
    documents = _make_enough(other, words)
    pairs = [(_measure(engine, documents), _measure(other, documents)) for _ in range(_ROUNDS)]
    return min(one for one, _ in pairs) / max(min(two for _, two in pairs), 1e-9)


def make_documents(count: int, tokens: int, words: int) -> list[WordIds]:
    """Documents of equal length, whose ids are below ``words``."""
    return [np.arange(row, row + tokens, dtype=np.int32) % words for row in range(count)]


def _make_enough(engine: Engine, words: int) -> list[WordIds]:
    """As many documents as ``engine`` computes for long enough."""
    rows = _FEWEST_ROWS
    while True:
        documents = make_documents(rows, _TOKENS, words)
        if rows >= _MOST_ROWS or _measure(engine, documents) >= _ENOUGH_SECONDS:
            return documents
        rows *= 2


def _measure(engine: Engine, documents: Sequence[WordIds]) -> float:
    background.pause()
    started = time.thread_time()
    engine.logits(documents)
    return time.thread_time() - started
