"""A teacher's logits on disk: a teacher computes the logits of each text once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training.runtime import tensor_file
from valence.training.runtime.progress import Reporter, time_left

Answer = Callable[[Sequence[str]], NDArray[np.float32]]
"""Computes the calibrated logits ``(N, K)`` of N texts."""

_CHUNK_TEXTS = 8_192
_PART = "kept"


class LogitCache:
    """The calibrated logits in the file at ``path``, by hashes of texts: the file holds no text.

    A damaged file counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logits: dict[bytes, NDArray[np.float32]] = {}
        try:
            parts, _ = tensor_file.read_tensors(path, (_PART,))
            keys = [row.tobytes() for row in parts[_PART]["sha256"].numpy()]
            self._logits = dict(zip(keys, parts[_PART]["logits"].numpy(), strict=True))
        except tensor_file.UNREADABLE:
            pass

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The texts without cached logits, each once."""
        return [text for text in dict.fromkeys(texts) if _key(text) not in self._logits]

    def add(self, texts: Sequence[str], answer: Answer, *, who: str, reporter: Reporter) -> None:
        """Compute the logits of ``texts`` by ``answer`` and cache them.

        The file is written after every chunk of texts, so that an interruption loses one chunk at
        most. ``reporter`` shows the progress of ``who``.
        """
        if not texts:
            return
        reporter.say(f"{who} answers {len(texts):,} texts")
        started = time.perf_counter()
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = texts[start : start + _CHUNK_TEXTS]
            self._logits.update(zip(map(_key, chunk), answer(chunk), strict=True))
            self._write()
            done = start + len(chunk)
            left = time_left(time.perf_counter() - started, done, len(texts))
            reporter.say(f"{who} answers: {done / len(texts):.0%}, {left} left")

    def get(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The cached logits ``(N, K)`` of N texts; raises :class:`KeyError` for a missing text."""
        return np.stack([self._logits[_key(text)] for text in texts])

    def _write(self) -> None:
        hashes = np.frombuffer(b"".join(self._logits), dtype=np.uint8)
        rows = hashes.reshape(len(self._logits), -1).copy()
        logits = np.stack(list(self._logits.values()))
        parts = {"sha256": torch.from_numpy(rows), "logits": torch.from_numpy(logits)}
        tensor_file.write_tensors(self._path, {_PART: parts}, {})


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
