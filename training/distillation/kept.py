"""What a teacher has said of texts, kept on disk: it is asked of each text once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training import state
from valence.training.progress import Reporter, time_left

Answer = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to their calibrated logits ``(N, K)``."""

_TEXTS_AT_ONCE = 8_192
_KEPT = "kept"


class Kept:
    """The calibrated logits in the file at ``path``, by hashes of texts: no text is in it.

    A file that is damaged holds none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logits: dict[bytes, NDArray[np.float32]] = {}
        try:
            parts, _ = state.read(path, (_KEPT,))
            keys = [row.tobytes() for row in parts[_KEPT]["sha256"].numpy()]
            self._logits = dict(zip(keys, parts[_KEPT]["logits"].numpy(), strict=True))
        except state.UNREADABLE:
            pass

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of which nothing is kept, each once."""
        return [text for text in dict.fromkeys(texts) if _key(text) not in self._logits]

    def add(self, texts: Sequence[str], answer: Answer, *, who: str, reporter: Reporter) -> None:
        """Keep what ``answer`` says of ``texts``, some at a time, so that less is lost when
        interrupted; ``reporter`` is told how far ``who`` answers is.
        """
        if not texts:
            return
        reporter.say(f"{who} answers {len(texts):,} texts")
        started = time.perf_counter()
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = texts[start : start + _TEXTS_AT_ONCE]
            self._logits.update(zip(map(_key, some), answer(some), strict=True))
            self._write()
            done = start + len(some)
            left = time_left(time.perf_counter() - started, done, len(texts))
            reporter.say(f"{who} answers: {done / len(texts):.0%}, {left} left")

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What is kept of ``texts``, which is something of each: logits ``(N, K)``."""
        return np.stack([self._logits[_key(text)] for text in texts])

    def _write(self) -> None:
        hashes = np.frombuffer(b"".join(self._logits), dtype=np.uint8)
        rows = hashes.reshape(len(self._logits), -1).copy()
        logits = np.stack(list(self._logits.values()))
        parts = {"sha256": torch.from_numpy(rows), "logits": torch.from_numpy(logits)}
        state.write(self._path, {_KEPT: parts}, {})


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
